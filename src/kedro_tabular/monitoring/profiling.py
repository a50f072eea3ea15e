"""The reference profile, made of the calibration rows: the newest that the estimator has not seen."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.isotonic import IsotonicRegression

from ..contract import Contract
from ..evaluation import LabelledScores, metric_names
from ..modelling import Guard, PackagedModel
from ..parameters import ParameterError
from .binning import ProfileSettings, name_apart, watch_answers, watch_inputs
from .estimation import estimate_quality, measure_quality
from .profile import (
    INPUT,
    OUTCOME,
    Calibration,
    MonitoredColumn,
    Profile,
    SliceQuality,
    add_derived_columns,
    bin_rows,
    count_reasons,
)

_MOST_BLOCKS = 60


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
) -> dict[str, Any]:
    """What the calibration rows and the packaged model's answers to them look like, as JSON.

    Raises:
        ParameterError: the metric is none of the task, or a column of the slices is no category.
    """
    read, settled = Contract.from_parameters(contract), ProfileSettings.read("profile", settings)
    _check(read, settled)
    packaged = PackagedModel.from_parts(read, preprocessor, model, guard, fallback)
    answers = packaged.predict(calibration_table[read.features])
    classes = None if packaged.classes is None else [str(label) for label in packaged.classes]
    rows = as_rows(calibration_table, answers, read, classes)
    watched = name_apart(
        [*watch_inputs(read, rows, guard, datetime_parts, settled), *watch_answers(rows, classes, settled)]
    )
    days = calibration_table[read.time] if read.time else pd.Series(pd.Timestamp(0), index=answers.index)
    blocks = _blocks(days)
    inputs = [one for one in watched if one.group == "input"]
    some = np.random.default_rng(seed).permutation(len(rows))[: settled.sample_rows]
    scored = LabelledScores.from_predictions(pd.concat([calibration_table[[read.target]], answers], axis=1), read)
    known = np.ones(len(rows), dtype=bool)
    if scored.classes is not None:  # a class that training has not seen can't be scored
        known = np.isin(scored.truth.astype(str), scored.classes.astype(str))
    scored = scored.select(known)
    quality = list(_qualities(scored, calibration_table[known], settled, calibration_bins, seed))
    if not quality or quality[0].column is not None:
        raise ParameterError(
            f"profile.metric in conf/: the {len(rows)} calibration rows have no {settled.metric}, as where "
            "all are of one class: choose another metric or another split"
        )
    calibration, estimated = None, None
    if scored.classes is not None:
        calibration = _calibrate(scored)
        of_all = (scored.scores, scored.classes, calibration, settled.metric, calibration_bins, seed)
        estimated = estimate_quality(*of_all)
    return Profile(
        table=contract,
        classes=classes,
        rows=len(rows),
        watched=watched,
        reasons=count_reasons(rows),
        blocks={one.name: _count_blocks(one, rows, blocks) for one in watched},
        sample=bin_rows(inputs, rows.take(np.sort(some))).tolist(),
        metric=settled.metric,
        calibration_bins=calibration_bins,
        quality=quality,
        calibration=calibration,
        estimated=estimated and estimated.metric,
    ).model_dump(mode="json")


def _check(contract: Contract, settings: ProfileSettings) -> None:
    known = metric_names(contract.task)
    if settings.metric not in known:
        raise ParameterError(
            f"profile.metric in conf/: a {contract.task} has no {settings.metric!r}, but {', '.join(known)}"
        )
    wrong = sorted(set(settings.slices) - set(contract.of_type("category")))
    if wrong:
        raise ParameterError(f"profile.slices in conf/: {', '.join(wrong)} is no category of table.columns")


def as_rows(table: pd.DataFrame, answers: pd.DataFrame, contract: Contract, classes: list[str] | None) -> pa.Table:
    """Rows with their target and the packaged model's answers, as monitoring reads them."""
    reasons = answers["reasons"].map(list)
    outcome = table[contract.target]
    frame = pd.concat([table[contract.features].add_prefix(INPUT), answers.assign(reasons=reasons)], axis=1)
    frame[OUTCOME] = outcome.astype(float) if classes is None else outcome.astype(str)
    rows = pa.Table.from_pandas(frame.drop(columns="reasons"), preserve_index=False)
    return add_derived_columns(rows.append_column("reasons", pa.array(reasons, pa.list_(pa.string()))), classes)


def _blocks(times: pd.Series) -> np.ndarray:
    """Which block each row is in: a day, or several where there are many."""
    days = np.unique(times.to_numpy().astype("datetime64[D]"), return_inverse=True)[1].ravel()
    n_days = int(days.max()) + 1
    return days if n_days <= _MOST_BLOCKS else days * _MOST_BLOCKS // n_days


def _count_blocks(watched: MonitoredColumn, rows: pa.Table, blocks: np.ndarray) -> list[list[int]]:
    n_blocks = int(blocks.max()) + 1
    cells = blocks * watched.n_bins + watched.codes(rows)
    return np.bincount(cells, minlength=n_blocks * watched.n_bins).reshape(n_blocks, -1).tolist()


def _qualities(
    scored: LabelledScores, table: pd.DataFrame, settings: ProfileSettings, bins: int, seed: int
) -> Iterator[SliceQuality]:
    whole = np.ones(len(table), dtype=bool)
    parts: list[tuple[str | None, str | None, np.ndarray]] = [(None, None, whole)]
    for name in settings.slices:
        counts = table[name].value_counts()
        frequent = sorted(counts[counts >= settings.slice_rows].index)
        parts += [(name, label, _is(table[name], label)) for label in frequent]
    for column, value, mask in parts:
        found = measure_quality(scored.select(mask), settings.metric, bins, seed)
        if found is not None:
            yield SliceQuality(column=column, value=value, **found._asdict())


def _is(values: pd.Series, label: str) -> np.ndarray:
    return values.eq(label).fillna(False).to_numpy(dtype=bool)


def _calibrate(scored: LabelledScores) -> list[Calibration]:
    """By isotonic regression (Zadrozny and Elkan 2002, https://doi.org/10.1145/775047.775151)."""
    assert scored.classes is not None
    lines = []
    for k, label in enumerate(scored.classes):
        fitted = IsotonicRegression(out_of_bounds="clip").fit(scored.scores[:, k], scored.truth == label)
        lines.append(
            Calibration(
                probability=fitted.X_thresholds_.tolist(), frequency=np.clip(fitted.y_thresholds_, 0, 1).tolist()
            )
        )
    return lines
