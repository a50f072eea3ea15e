"""The comparison of challenger and champion on the same test rows."""

import logging
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from ..contract import PREDICTION, REASONS, Contract, ContractError, classes_of
from ..evaluation import LabelledScores, bootstrap, compute_metrics, plots, to_binary
from ..parameters import ParameterError
from ..registry import Champion, Difference
from .compared_rows import find_clusters, find_new_rows
from .gains import Values, gain, interval, none_if_nan
from .latency import measure_latency
from .settings import Gate
from .slices import Slice, compare_slices

logger = logging.getLogger(__name__)


class TooFewRowsError(RuntimeError):
    """Too few test rows are new to both models."""


class Comparison(NamedTuple):
    """Challenger and champion on the same test rows.

    Attributes:
        champion: its version; None if there is none.
        problem: why the two could not be compared; None if they could.
        incompatible: whether the problem is that the contract or the task has changed since the champion.
        rows: the number of test rows that are compared.
        seen: the number of test rows that are left out because the champion was trained or calibrated on them.
        rejected: the number of test rows that are left out because the champion rejects them.
        metrics: by metric the values challenger, low and high; with a champion that could be compared, also
            champion, champion_low, champion_high, gain, gain_low and gain_high. A gain is positive where the
            challenger is better; a value that is not defined is None.
        slices: each slice with enough rows, with the metric of the rule for slices.
        calibration: the calibration curves as SVG; empty for a regression.
        changes: the differences from the champion.
        has_threshold: whether a decision threshold other than 0.5 made predictions of one of the models.
        latency_ms: of a single row of the champion, measured as that of the challenger.
    """

    champion: str | None
    problem: str | None
    incompatible: bool
    rows: int
    seen: int
    rejected: int
    metrics: dict[str, Values]
    slices: list[Slice]
    calibration: str
    changes: list[Difference]
    has_threshold: bool
    latency_ms: float | None


class _ScoredRows(NamedTuple):
    """The champion's scores of the compared test rows, and the masks of the rows that are left out, (n_rows,)."""

    scored: LabelledScores
    seen: np.ndarray
    rejected: np.ndarray
    latency_ms: float | None


def compare_models(
    champion: Champion | None,
    test_table: pd.DataFrame,
    test_predictions: pd.DataFrame,
    contract: dict[str, Any],
    gate: dict[str, Any],
    split: dict[str, Any],
    calibration_bins: int,
    seed: int,
    times_champion: bool = True,
) -> Comparison:
    """Metrics with intervals, slices and calibration of both models, or of the challenger alone.

    Compared are the rows that neither model was trained or calibrated on. `test_table` holds the raw rows,
    `test_predictions` their target and the challenger's predictions; the bins of the calibration have equal width.
    `times_champion`: whether its latency is measured.

    Raises ParameterError if the table lacks a column of the slices, or has no clusters to resample.
    """
    schema, settings = Contract.from_parameters(contract), Gate.read("gate", gate)
    columns = settings.slices.columns if settings.slices else []
    unknown = [name for name in columns if name not in test_table.columns]
    if unknown:
        raise ParameterError(f"gate.slices.columns in conf/: the table has no column {', '.join(unknown)}")
    clusters = find_clusters(test_table, schema, settings, split)
    scored, problem = _try_to_score(champion, test_table, schema, settings, times_champion)
    challenger = LabelledScores.from_predictions(test_predictions, schema)
    compared = ~(scored.seen | scored.rejected) if scored else np.ones(len(test_table), dtype=bool)
    models = _align([model.select(compared) for model in [challenger, *([scored.scored] if scored else [])]])
    clusters = None if clusters is None else clusters[compared]
    return Comparison(
        champion=champion.version if champion else None,
        problem=None if problem is None else str(problem) or type(problem).__name__,
        incompatible=isinstance(problem, ContractError),
        rows=int(compared.sum()),
        seen=int(scored.seen.sum()) if scored else 0,
        rejected=int(scored.rejected.sum()) if scored else 0,
        metrics=_metrics(models, settings, calibration_bins, seed, clusters),
        slices=compare_slices(models, test_table[compared], settings, calibration_bins, seed, clusters),
        calibration=_calibration(models, calibration_bins),
        changes=champion.changes if champion else [],
        has_threshold=any(model.has_threshold for model in models),
        latency_ms=scored.latency_ms if scored else None,
    )


def compare_with_pooled(pooled: Champion | None, *rows_and_settings: Any) -> list[Comparison]:
    """The model of a segment and that of all rows on the segment's test rows; empty if the model is of no segment.

    The arguments are those of `compare_models`. Slices are left out.
    """
    test_table, test_predictions, contract, gate, split, bins, seed = rows_and_settings
    if pooled is None:
        return []  # Kedro stores no None
    rules = gate | {"slices": None}
    return [compare_models(pooled, test_table, test_predictions, contract, rules, split, bins, seed, False)]


def _try_to_score(
    champion: Champion | None, test_table: pd.DataFrame, contract: Contract, gate: Gate, timed: bool
) -> tuple[_ScoredRows | None, Exception | None]:
    """The champion's scores, or why there are none."""
    if champion is None:
        return None, None
    try:
        return _score(champion, test_table, contract, gate, timed), None
    except Exception as error:  # whatever its cause: what can't be compared is not promoted
        logger.warning("the champion, version %s, can't be compared: %s", champion.version, error)
        return None, error


def _score(champion: Champion, test_table: pd.DataFrame, contract: Contract, gate: Gate, timed: bool) -> _ScoredRows:
    """The champion's scores.

    Raises ContractError if it is for another contract or task, and RuntimeError if too few rows can be compared.
    """
    rows = test_table.drop(columns=contract.target)
    predictions = champion.predict(rows)
    rejected = predictions[PREDICTION].isna().to_numpy()
    if rejected.all():
        raise ContractError(f"it rejects all rows, the first because of {list(predictions[REASONS].iloc[0])}")
    if bool(classes_of(predictions.columns)) != (contract.task == "classification"):
        raise ContractError(f"it is not a {contract.task}")
    zone = Contract.from_parameters(champion.contract).timezone
    if zone != contract.timezone:
        raise ContractError(f"its date-times are in the time zone {zone}, those of the table in {contract.timezone}")
    seen = ~find_new_rows(champion, test_table, contract)
    n_compared, min_rows = int((~seen & ~rejected).sum()), gate.champion.min_rows if gate.champion else 1
    if n_compared < min_rows:
        raise TooFewRowsError(
            f"only {n_compared:,} of {len(test_table):,} test rows are new to both models; at least {min_rows:,} are "
            "needed (gate.champion.min_rows)"
        )
    predictions = predictions.assign(**{contract.target: test_table[contract.target].to_numpy()})
    scored = LabelledScores.from_predictions(predictions, contract)
    latency = measure_latency(champion.predict, rows) if timed else None
    return _ScoredRows(scored, seen, rejected & ~seen, latency)


def _align(models: list[LabelledScores]) -> list[LabelledScores]:
    """Give all models the same classes: one that a model does not know has the probability 0."""
    if models[0].classes is None:
        return models
    # in the challenger's order: as text, the class 10 would come before the class 9
    classes = list(dict.fromkeys(str(label) for model in models for label in model.classes))  # type: ignore[union-attr]
    return [
        model._replace(
            scores=pd.DataFrame(model.scores, columns=model.classes).reindex(columns=classes, fill_value=0).to_numpy(),
            classes=np.array(classes, dtype=object),
        )
        for model in models
    ]


def _metrics(
    models: list[LabelledScores], gate: Gate, n_bins: int, seed: int, clusters: np.ndarray | None
) -> dict[str, Values]:
    measured = [compute_metrics(model, n_bins) for model in models]
    metrics: dict[str, Values] = {}
    for name, resampled in bootstrap(models, list(measured[0]), gate.resamples, n_bins, seed, clusters).items():
        values: Values = {"challenger": measured[0][name]}
        values |= interval(resampled[0], gate.confidence)
        if len(models) > 1:
            values["champion"] = measured[1][name]
            values |= interval(resampled[1], gate.confidence, "champion_")
            values["gain"] = gain(name, measured[0][name], measured[1][name])
            values |= interval(gain(name, *resampled), gate.confidence, "gain_")
        metrics[name] = {key: none_if_nan(value) for key, value in values.items()}
    return metrics


def _calibration(models: list[LabelledScores], n_bins: int) -> str:
    curves = [
        (name, *to_binary(model.is_class, model.scores))
        for name, model in zip(("challenger", "champion"), models, strict=False)
        if model.classes is not None
    ]
    return plots.calibration_plot(curves, n_bins, "Model") if curves else ""
