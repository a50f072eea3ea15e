"""The metric in a window, measured where outcomes are known and estimated where not, against the reference."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from ..contract import SOURCE, to_float_array, to_string_array
from ..evaluation import LabelledScores, make_statistic, metric_names
from ..modelling import decide
from .drift import Finding, Measurement, normal_quantile
from .estimation import Quality, estimate_quality, measure_quality, metric_loss
from .profile import INPUT, OUTCOME, Profile, SliceQuality, get_scores
from .settings import Check, Monitoring

_MAX_PERIODS = 16
_DAYS = {"h": 1 / 24, "D": 1, "W": 7, "M": 30, "Q": 91, "Y": float("inf")}  # by pandas' frequency


class QualityEvaluator:
    """Measures and estimates the metric of a profile on rows that its version scored."""

    def __init__(self, rows: pa.Table, profile: Profile, seed: int) -> None:
        self._rows, self._profile, self._seed = rows, profile, seed
        self._classes = None if profile.classes is None else np.array(profile.classes, dtype=object)
        self._scores = get_scores(rows, profile.classes)
        self._y_true = np.full(len(rows), None, dtype=object)
        self.has_outcome = np.zeros(len(rows), dtype=bool)
        if OUTCOME not in rows.column_names:
            return
        if self._classes is None:
            self._y_true = to_float_array(rows[OUTCOME])
            self.has_outcome = np.isfinite(self._y_true)
        else:
            self._y_true = to_string_array(rows[OUTCOME]).to_numpy(zero_copy_only=False)
            # a class that the model does not know can't be scored
            self.has_outcome = pc.is_in(rows[OUTCOME], pa.array(profile.classes)).to_numpy()

    def labelled(self, mask: np.ndarray | None = None) -> LabelledScores:
        """The rows with outcomes, or those in the mask."""
        chosen = self.has_outcome if mask is None else self.has_outcome & mask
        scored = LabelledScores(self._y_true[chosen], self._scores[chosen], self._classes)
        if self._classes is None:
            return scored
        return scored._replace(decisions=self._classes.take(decide(scored.scores, self._profile.threshold)))

    def measure(self, mask: np.ndarray | None = None) -> Quality | None:
        """The metric of the rows with outcomes, or of those in the mask."""
        profile = self._profile
        return measure_quality(self.labelled(mask), profile.metric, profile.calibration_bins, self._seed)

    def estimate(self, mask: np.ndarray | None = None) -> Quality | None:
        """The expected metric of all rows, or of those in the mask; None for a regression."""
        profile = self._profile
        if self._classes is None or profile.calibration is None:
            return None
        scores = self._scores if mask is None else self._scores[mask]
        parameters = (profile.calibration, profile.metric, profile.calibration_bins, self._seed, profile.threshold)
        estimate = estimate_quality(scores, self._classes, *parameters)
        if estimate is None or profile.estimated is None:
            return estimate
        # The calibration was fitted to the reference rows, so their estimate is too good.
        bias = profile.estimated - profile.quality[0].metric
        return estimate._replace(metric=estimate.metric - bias)

    def metrics(self) -> dict[str, float]:
        """All metrics of the task on the rows with outcomes."""
        scored, bins = self.labelled(), self._profile.calibration_bins
        weights = np.ones((len(scored.y_true), 1))
        names = metric_names(self._profile.contract.task) if len(weights) > 1 else []
        values = {name: float(make_statistic(name, scored, bins)(weights)[0]) for name in names}
        return {name: value for name, value in values.items() if np.isfinite(value)}

    def in_slice(self, column: str | None, value: str | None) -> np.ndarray:
        """The mask of the rows with a value of a column of the contract; all rows without a column."""
        if column is None:
            return np.ones(len(self._rows), dtype=bool)
        is_value = pc.equal(to_string_array(self._rows[INPUT + column]), value)
        return pc.fill_null(is_value, False).to_numpy(zero_copy_only=False)


def check_quality(evaluator: QualityEvaluator, profile: Profile, settings: Monitoring) -> list[Finding]:
    """The loss of the metric on all rows and on each slice; with too few outcomes, the estimated loss."""
    if evaluator.has_outcome.sum() < settings.min_rows:
        estimate = evaluator.estimate()
        if estimate is None:
            return []
        return _compare("estimated_quality", [(profile.quality[0], estimate)], profile.metric, settings)
    compared = []
    for reference in profile.quality:
        quality = evaluator.measure(evaluator.in_slice(reference.column, reference.value))
        # in a small slice, a few outcomes change the metric
        if quality is not None and (reference.column is None or quality.rows >= settings.min_rows / 2):
            compared.append((reference, quality))
    if not compared or compared[0][0].column is not None:  # the metric is not defined for all rows
        return []
    whole, *slices = _compare("quality", compared, profile.metric, settings)
    # Slices that lost more than all rows come first: they are where to look.
    ranked = [finding._replace(rank=(finding.value - whole.value) / finding.limit) for finding in slices]
    return [whole._replace(rank=1.0), *ranked]


def _compare(
    check: Check, compared: list[tuple[SliceQuality, Quality]], metric: str, settings: Monitoring
) -> list[Finding]:
    """The losses, each with the threshold that few losses by chance exceed in any of the comparisons."""
    findings = []
    for reference, now in compared:
        subject = "all rows" if reference.column is None else f"{reference.column} = {reference.value}"
        error = (now.error**2 + reference.error**2) ** 0.5
        by_chance = normal_quantile(settings.false_alarms / len(compared)) * error
        loss = metric_loss(metric, reference.metric, now.metric)
        says = f"{metric} {now.metric:.3f} on {now.rows:,} rows, reference {reference.metric:.3f}"
        findings.append(Finding.of(check, subject, Measurement(loss, max(by_chance, settings.floors.quality)), says))
    return findings


def quality_over_time(rows: pa.Table, evaluator: QualityEvaluator) -> Iterator[dict[str, Any]]:
    """Rows, fallback share, metric and its estimate by period of the window: hours, days, weeks, months, quarters."""
    if "event_time" not in rows.column_names or not len(rows):
        return
    times = pd.Series(rows["event_time"].to_numpy())
    length = (times.max() - times.min()) / pd.Timedelta(days=1)
    frequency = next(name for name, days in _DAYS.items() if length / days <= _MAX_PERIODS)
    periods = times.dt.to_period(frequency)
    is_fallback = to_string_array(rows[SOURCE]).to_numpy(zero_copy_only=False) == "fallback"
    for period in sorted(periods.unique()):
        mask = (periods == period).to_numpy()
        measured, estimated = evaluator.measure(mask), evaluator.estimate(mask)
        yield {
            "period": str(period.start_time.date() if frequency != "h" else period.start_time),
            "rows": int(mask.sum()),
            "fallback_share": float(is_fallback[mask].mean()),
            "measured": measured and measured._asdict(),
            "estimated": estimated and estimated._asdict(),
        }
