"""Makes the reference profile from the calibration rows: the newest rows that the estimator was not trained on."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.isotonic import IsotonicRegression

from ..contract import REASONS, Contract, to_string_array
from ..evaluation import LabelledScores, metric_names
from ..modelling import Guard, PackagedModel
from ..parameters import ParameterError
from .binning import ProfileSettings, input_columns, output_columns, with_unique_names
from .profile import INPUT, OUTCOME, Calibration, Profile, SliceQuality, add_derived_columns, bin_rows, count_reasons
from .quality import QualityEvaluator

_MAX_BLOCKS = 60


def profile_reference(
    calibration_table: pd.DataFrame,
    preprocessor: TransformerMixin,
    model: BaseEstimator,
    guard: Guard,
    fallback: BaseEstimator,
    contract: dict[str, Any],
    datetime_parts: list[str],
    calibration_bins: int,
    settings: dict[str, Any],
    seed: int,
    decision: dict[str, Any] | None = None,
) -> dict[str, Any]:
    """The profile of the calibration rows and of the packaged model's predictions for them, as JSON.

    `decision` is that of `choose_decision`; without it the most probable class is predicted.

    Raises:
        ParameterError: the task has no such metric, or a column of the slices is not a category.
    """
    schema, profile_settings = Contract.from_parameters(contract), ProfileSettings.read("profile", settings)
    _check_settings(schema, profile_settings)
    threshold = decision["threshold"] if decision else None
    packaged = PackagedModel.from_parts(schema, preprocessor, model, guard, fallback, threshold)
    predictions = packaged.predict(calibration_table[schema.features])
    classes = None if packaged.classes is None else [str(label) for label in packaged.classes]
    rows = as_rows(calibration_table, predictions, schema, classes, threshold)
    inputs = list(input_columns(schema, rows, guard, datetime_parts, profile_settings))
    columns = with_unique_names([*inputs, *output_columns(rows, classes, profile_settings)])
    blocks, days_per_block = _time_blocks(calibration_table, schema)
    sample = np.random.default_rng(seed).permutation(len(rows))[: profile_settings.sample_rows]
    profile = Profile(
        table=contract,
        classes=classes,
        rows=len(rows),
        watched=columns,
        reasons=count_reasons(rows),
        blocks={column.name: column.count_by_block(rows, blocks).tolist() for column in columns},
        days_per_block=days_per_block,
        sample=bin_rows(inputs, rows.take(np.sort(sample))).tolist(),
        metric=profile_settings.metric,
        calibration_bins=calibration_bins,
        quality=[],
        calibration=None,
        estimated=None,
        threshold=threshold,
    )
    return _add_quality(profile, rows, profile_settings, seed).model_dump(mode="json")


def _check_settings(contract: Contract, settings: ProfileSettings) -> None:
    metrics = metric_names(contract.task)
    if settings.metric not in metrics:
        problem = f"{contract.task} has no metric {settings.metric!r}"
        raise ParameterError(f"profile.metric in conf/: {problem}, choose one of {', '.join(metrics)}")
    wrong = sorted(set(settings.slices) - set(contract.of_type("category")))
    if wrong:
        raise ParameterError(f"profile.slices in conf/: {', '.join(wrong)} is not a category of table.columns")


def as_rows(
    table: pd.DataFrame,
    predictions: pd.DataFrame,
    contract: Contract,
    classes: list[str] | None,
    threshold: float | None = None,
) -> pa.Table:
    """Rows with their target and the packaged model's predictions in the format of scored rows."""
    frame = pd.concat([table[contract.features].add_prefix(INPUT), predictions.drop(columns=REASONS)], axis=1)
    frame[OUTCOME] = table[contract.target].astype(float if classes is None else str)
    reasons = pa.array(predictions[REASONS].map(list), pa.list_(pa.string()))
    rows = pa.Table.from_pandas(frame, preserve_index=False).append_column(REASONS, reasons)
    return add_derived_columns(rows, classes, threshold)


def _time_blocks(table: pd.DataFrame, contract: Contract) -> tuple[np.ndarray, float]:
    """The block of each row, a day or several days if there are many, and the days of a block."""
    if contract.time is None:
        return np.zeros(len(table), dtype=int), 1.0
    days = np.unique(table[contract.time].to_numpy().astype("datetime64[D]"), return_inverse=True)[1].ravel()
    n_days = int(days.max()) + 1
    return (days, 1.0) if n_days <= _MAX_BLOCKS else (days * _MAX_BLOCKS // n_days, n_days / _MAX_BLOCKS)


def _add_quality(profile: Profile, rows: pa.Table, settings: ProfileSettings, seed: int) -> Profile:
    """The profile with its metric on all rows and on each slice, the calibration and the estimate of the metric."""
    evaluator = QualityEvaluator(rows, profile, seed)
    quality = []
    for column, value in [(None, None), *_find_slices(rows.filter(pa.array(evaluator.has_outcome)), settings)]:
        measured = evaluator.measure(evaluator.in_slice(column, value))
        if measured is not None:
            quality.append(SliceQuality(column=column, value=value, **measured._asdict()))
    if not quality or quality[0].column is not None:
        problem = f"{settings.metric} is not defined for the {len(rows)} calibration rows, as where all have one class"
        raise ParameterError(f"profile.metric in conf/: {problem}: choose another metric or another split")
    profile = profile.model_copy(update={"quality": quality, "calibration": _fit_calibration(evaluator.labelled())})
    estimate = QualityEvaluator(rows, profile, seed).estimate(evaluator.has_outcome)
    return profile.model_copy(update={"estimated": estimate and estimate.metric})


def _find_slices(rows: pa.Table, settings: ProfileSettings) -> Iterator[tuple[str, str]]:
    for column in settings.slices:
        counts = to_string_array(rows[INPUT + column]).drop_null().value_counts().to_pylist()
        frequent = [entry["values"] for entry in counts if entry["counts"] >= settings.slice_rows]
        yield from ((column, value) for value in sorted(frequent))


def _fit_calibration(scored: LabelledScores) -> list[Calibration] | None:
    """By isotonic regression (Zadrozny and Elkan 2002, https://doi.org/10.1145/775047.775151)."""
    if scored.classes is None:
        return None
    calibrations = []
    for k, label in enumerate(scored.classes):
        line = IsotonicRegression(out_of_bounds="clip").fit(scored.scores[:, k], scored.y_true == label)
        frequency = np.clip(line.y_thresholds_, 0, 1).tolist()
        calibrations.append(Calibration(probability=line.X_thresholds_.tolist(), frequency=frequency))
    return calibrations
