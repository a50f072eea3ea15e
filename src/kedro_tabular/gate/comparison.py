"""The comparison of challenger and champion on the same test rows."""

from typing import Any, NamedTuple, TypeVar

import numpy as np
import pandas as pd

from ..contract import PREDICTION, REASONS, Contract, classes_of
from ..evaluation import LabelledScores, bootstrap, compute_metrics, lower_is_better, make_statistic, plots, to_binary
from ..parameters import ParameterError
from ..registry import Champion, Difference
from .settings import Gate, SliceRule

Values = dict[str, float | None]
Number = TypeVar("Number", float, np.ndarray)


class Slice(NamedTuple):
    """A metric on one slice of the test rows; None where it is not defined or there is no champion."""

    column: str
    value: str
    rows: int
    challenger: float | None
    champion: float | None
    gain: float | None


class Comparison(NamedTuple):
    """Challenger and champion on the same test rows.

    Attributes:
        champion: its version; None if there is none.
        problem: why the champion could not score the test rows; None if it could.
        rejected: number of test rows that the champion rejects; they are left out of the comparison.
        metrics: by metric the values challenger, low and high; with a champion that could score the rows, also
            champion, champion_low, champion_high, gain, gain_low and gain_high. A gain is positive where the
            challenger is better; a value that is not defined is None.
        slices: each slice with enough rows, with the metric of the rule for slices.
        calibration: the calibration curves as SVG; empty for a regression.
        changes: the differences from the champion.
    """

    champion: str | None
    problem: str | None
    rejected: int
    metrics: dict[str, Values]
    slices: list[Slice]
    calibration: str
    changes: list[Difference]


def compare_models(
    champion: Champion | None,
    test_table: pd.DataFrame,
    test_predictions: pd.DataFrame,
    contract: dict[str, Any],
    gate: dict[str, Any],
    calibration_bins: int,
    seed: int,
) -> Comparison:
    """Metrics with intervals, slices and calibration of both models, or of the challenger alone.

    `test_table` holds the raw rows, `test_predictions` their target and the challenger's predictions; the bins of the
    calibration have equal width. Raises ParameterError if the table lacks a column of the slices.
    """
    schema, settings = Contract.from_parameters(contract), Gate.read("gate", gate)
    columns = settings.slices.columns if settings.slices else []
    unknown = [name for name in columns if name not in test_table.columns]
    if unknown:
        raise ParameterError(f"gate.slices.columns in conf/: the table has no column {', '.join(unknown)}")
    models, problem = [LabelledScores.from_predictions(test_predictions, schema)], None
    accepted = np.ones(len(test_table), dtype=bool)
    if champion:
        try:
            scored, accepted = _score(champion, test_table, schema)
            models.append(scored)
        except Exception as error:  # whatever its cause: a champion must never block its successor
            problem = str(error) or type(error).__name__
    models = _align([model.select(accepted) for model in models])
    return Comparison(
        champion=champion.version if champion else None,
        problem=problem,
        rejected=int((~accepted).sum()),
        metrics=_metrics(models, settings, calibration_bins, seed),
        slices=_slices(models, test_table[accepted], settings.slices, calibration_bins) if settings.slices else [],
        calibration=_calibration(models, calibration_bins),
        changes=champion.changes if champion else [],
    )


def gain(metric: str, value: Number, reference: Number) -> Number:
    """By how much a metric is better than a reference; negative where it is worse."""
    return reference - value if lower_is_better(metric) else value - reference


def none_if_nan(value: float | None) -> float | None:
    """None for a metric that is not defined, such as the ROC AUC of a single class: JSON has no NaN."""
    return None if value is None or np.isnan(value) else float(value)


def _score(champion: Champion, test_table: pd.DataFrame, contract: Contract) -> tuple[LabelledScores, np.ndarray]:
    """The champion's scores, and which rows it accepts. Raises ValueError if it accepts none or is for another task."""
    predictions = champion.predict(test_table.drop(columns=contract.target))
    accepted = predictions[PREDICTION].notna().to_numpy()
    if not accepted.any():
        raise ValueError(f"it rejects all rows, the first because of {list(predictions[REASONS].iloc[0])}")
    if bool(classes_of(predictions.columns)) != (contract.task == "classification"):
        raise ValueError(f"it is not a {contract.task}")
    predictions = predictions.assign(**{contract.target: test_table[contract.target].to_numpy()})
    return LabelledScores.from_predictions(predictions, contract), accepted


def _align(models: list[LabelledScores]) -> list[LabelledScores]:
    """Give all models the same classes: one that a model does not know has the probability 0."""
    if models[0].classes is None:
        return models
    classes = sorted({str(label) for model in models for label in model.classes})  # type: ignore[union-attr]
    return [
        LabelledScores(
            model.y_true,
            pd.DataFrame(model.scores, columns=model.classes).reindex(columns=classes, fill_value=0).to_numpy(),
            np.array(classes, dtype=object),
        )
        for model in models
    ]


def _metrics(models: list[LabelledScores], gate: Gate, n_bins: int, seed: int) -> dict[str, Values]:
    measured = [compute_metrics(model, n_bins) for model in models]
    metrics: dict[str, Values] = {}
    for name, resampled in bootstrap(models, list(measured[0]), gate.resamples, n_bins, seed).items():
        values: Values = {"challenger": measured[0][name]}
        values |= _interval("", resampled[0], gate.confidence)
        if len(models) > 1:
            values["champion"] = measured[1][name]
            values |= _interval("champion_", resampled[1], gate.confidence)
            values["gain"] = gain(name, measured[0][name], measured[1][name])
            values |= _interval("gain_", gain(name, *resampled), gate.confidence)
        metrics[name] = {key: none_if_nan(value) for key, value in values.items()}
    return metrics


def _interval(prefix: str, resampled: np.ndarray, confidence: float) -> Values:
    defined = resampled[~np.isnan(resampled)]
    if not len(defined):
        return {prefix + "low": None, prefix + "high": None}
    low, high = np.quantile(defined, [(1 - confidence) / 2, (1 + confidence) / 2]).tolist()
    return {prefix + "low": low, prefix + "high": high}


def _slices(models: list[LabelledScores], table: pd.DataFrame, rule: SliceRule, n_bins: int) -> list[Slice]:
    slices = []
    for column in rule.columns:
        for label, positions in table.groupby(column, dropna=False).indices.items():
            rows = np.asarray(positions)
            if len(rows) >= rule.min_rows:
                values = [
                    float(make_statistic(rule.metric, model.select(rows), n_bins)(np.ones((len(rows), 1)))[0])
                    for model in models
                ]
                values += [np.nan] * (2 - len(models))
                values.append(gain(rule.metric, *values))
                slices.append(Slice(column, str(label), len(rows), *map(none_if_nan, values)))
    return slices


def _calibration(models: list[LabelledScores], n_bins: int) -> str:
    curves = [
        (name, *to_binary(model.is_class, model.scores))
        for name, model in zip(("challenger", "champion"), models, strict=False)
        if model.classes is not None
    ]
    return plots.calibration_plot(curves, n_bins, "Model") if curves else ""
