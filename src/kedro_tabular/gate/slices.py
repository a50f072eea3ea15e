"""The comparison of challenger and champion on slices of the test rows."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd

from ..evaluation import LabelledScores, bootstrap, make_statistic
from .gains import gain, interval, none_if_nan
from .settings import Gate


class Slice(NamedTuple):
    """A metric on one slice of the test rows; None where it is not defined or there is no champion."""

    column: str
    value: str
    rows: int
    challenger: float | None
    champion: float | None
    gain: float | None
    gain_high: float | None  # of the interval; only of a gain below the limit


def compare_slices(
    models: Sequence[LabelledScores],
    table: pd.DataFrame,
    gate: Gate,
    n_bins: int,
    seed: int,
    clusters: np.ndarray | None,
) -> list[Slice]:
    """The slices of the gate's rule that have enough rows.

    `models` are the scores of `table` by the challenger and, if there is one, by the champion; `clusters` are those of
    `find_clusters`.
    """
    rule = gate.slices
    if rule is None:
        return []
    slices = []
    for column in rule.columns:
        for label, positions in table.groupby(column, dropna=False).indices.items():
            rows = np.asarray(positions)
            if len(rows) < rule.min_rows:
                continue
            scored = [model.select(rows) for model in models]
            weights = np.ones((len(rows), 1))
            values = [float(make_statistic(rule.metric, model, n_bins)(weights)[0]) for model in scored]
            values += [np.nan] * (2 - len(models))
            change, high = gain(rule.metric, *values), None
            if change < -rule.max_drop:
                drawn = None if clusters is None else np.unique(clusters[rows], return_inverse=True)[1]
                resampled = bootstrap(scored, [rule.metric], gate.resamples, n_bins, seed, drawn)[rule.metric]
                high = interval(gain(rule.metric, *resampled), gate.confidence)["high"]
            challenger, champion, difference = map(none_if_nan, [*values, change])
            slices.append(Slice(column, str(label), len(rows), challenger, champion, difference, high))
    return slices
