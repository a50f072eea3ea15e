"""The challenger beside the champion: both on the same test rows of today."""

from collections.abc import Callable
from typing import Any, Protocol

import numpy as np
import pandas as pd

from ..contract import Contract, classes_of
from ..evaluation import LabelledScores, bootstrap, calibration_overlay, confidences, measure, prepare
from ..parameters import ParameterError
from .rules import Comparison, Slice, direction
from .settings import Gate, Slices

Known = dict[str, float | None]
_SHOWN = {0: "challenger", 1: "champion"}


class Champion(Protocol):
    """What the comparison needs of a registered version."""

    version: str
    changes: list[Any]
    predict: Callable[[pd.DataFrame], pd.DataFrame]


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

    Args:
        champion: answers raw rows; None where there is none.
        test_table: the rows that both answer.
        test_predictions: the challenger's answers beside the target.
        contract: `params:table`.
        gate: `params:gate`.
        calibration_bins: bins of equal width.
        seed: of the bootstrap.

    Raises:
        ParameterError: a slice is of a column that the table does not have.
    """
    read, settings = Contract.from_parameters(contract), Gate.read("gate", gate)
    columns = settings.slices.columns if settings.slices else []
    unknown = [name for name in columns if name not in test_table.columns]
    if unknown:
        raise ParameterError(f"gate.slices.columns in conf/: the table has no column {', '.join(unknown)}")
    models, problem, answered = [LabelledScores.from_predictions(test_predictions, read)], None, None
    if champion:
        try:
            theirs, answered = _score(champion, test_table, read)
            models.append(theirs)
        except Exception as error:  # whatever stops it: a champion must never stop its successor
            problem = str(error) or type(error).__name__
    kept = np.ones(len(test_table), dtype=bool) if answered is None else answered
    models = _align([model.select(kept) for model in models])
    return Comparison(
        champion=champion.version if champion else None,
        problem=problem,
        unanswered=int((~kept).sum()),
        metrics=_metrics(models, settings, calibration_bins, seed),
        slices=_slices(models, test_table[kept], settings.slices, calibration_bins) if settings.slices else [],
        calibration=_calibration(models, calibration_bins),
        changes=[tuple(change) for change in champion.changes] if champion else [],
    )


def _score(champion: Champion, test_table: pd.DataFrame, contract: Contract) -> tuple[LabelledScores, np.ndarray]:
    """The champion's answers, and which rows it answered.

    Raises:
        ValueError: it answers none, or answers another kind of question.
    """
    answers = champion.predict(test_table.drop(columns=contract.target))
    answered = answers["prediction"].notna().to_numpy()
    if not answered.any():
        raise ValueError(f"it refuses all rows, the first because of {list(answers['reasons'].iloc[0])}")
    is_classifier = bool(classes_of(answers.columns))
    if is_classifier != (contract.task == "classification"):
        raise ValueError(f"it is not a {contract.task}")
    answers = answers.assign(**{contract.target: test_table[contract.target].to_numpy()})
    return LabelledScores.from_predictions(answers, contract), answered


def _align(models: list[LabelledScores]) -> list[LabelledScores]:
    """Give all models the same classes: one that a model does not know has the probability 0."""
    if models[0].classes is None:
        return models
    classes = sorted({str(label) for model in models for label in model.classes})  # type: ignore[union-attr]
    return [
        LabelledScores(
            model.truth,
            pd.DataFrame(model.scores, columns=model.classes).reindex(columns=classes, fill_value=0).to_numpy(),
            np.array(classes, dtype=object),
        )
        for model in models
    ]


def _metrics(models: list[LabelledScores], gate: Gate, n_bins: int, seed: int) -> dict[str, Known]:
    values = [measure(model, n_bins) for model in models]
    drawn = bootstrap(models, list(values[0]), gate.resamples, n_bins, seed)
    found: dict[str, Known] = {}
    for name, resampled in drawn.items():
        ours = values[0][name]
        found[name] = {"challenger": ours}
        found[name] |= _interval("", resampled[0], gate.confidence)
        if len(models) > 1:
            theirs, sign = values[1][name], direction(name)
            gains = (resampled[0] - resampled[1]) * sign
            found[name] |= {"champion": theirs} | _interval("champion_", resampled[1], gate.confidence)
            found[name] |= {"gain": (ours - theirs) * sign} | _interval("gain_", gains, gate.confidence)
    return {name: {key: _known(value) for key, value in row.items()} for name, row in found.items()}


def _interval(prefix: str, resampled: np.ndarray, confidence: float) -> Known:
    defined = resampled[~np.isnan(resampled)]
    if not len(defined):
        return {prefix + "low": None, prefix + "high": None}
    low, high = np.quantile(defined, [(1 - confidence) / 2, (1 + confidence) / 2]).tolist()
    return {prefix + "low": low, prefix + "high": high}


def _known(value: float | None) -> float | None:
    """None for a metric that is not defined, such as the area under the curve of a single class."""
    return None if value is None or np.isnan(value) else float(value)


def _slices(models: list[LabelledScores], table: pd.DataFrame, settings: Slices, n_bins: int) -> list[Slice]:
    name, found = settings.metric, []
    for column in settings.columns:
        for value, positions in table.groupby(column, dropna=False).indices.items():
            rows = np.asarray(positions)
            if len(rows) >= settings.min_rows:
                once = np.ones((len(rows), 1))
                ours, theirs = (
                    float(prepare(name, model.select(rows), n_bins)(once)[0]) for model in (models[0], models[-1])
                )
                theirs = theirs if len(models) > 1 else np.nan
                gain = (ours - theirs) * direction(name)
                measured = (_known(ours), _known(theirs), _known(gain))
                found.append(Slice(column, str(value), len(rows), *measured))
    return found


def _calibration(models: list[LabelledScores], n_bins: int) -> str:
    if models[0].classes is None:
        return ""
    curves = []
    for number, model in enumerate(models):
        is_class = model.truth[:, None] == model.classes[None, :]  # type: ignore[index]
        probability, hit = confidences(is_class, model.scores)
        curves.append((_SHOWN[number], hit, probability))
    return calibration_overlay(curves, n_bins)
