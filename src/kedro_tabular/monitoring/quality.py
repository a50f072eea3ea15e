"""How good the answers were where outcomes are known, and how good they can be expected to be."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from ..contract import as_numbers, as_text
from ..evaluation import LabelledScores, metric_names, prepare
from .checks import Finding, normal_quantile
from .drift import Limit
from .estimation import Quality, estimate_quality, measure_quality, worsening
from .profile import INPUT, OUTCOME, Profile, SliceQuality, scores_of
from .settings import Monitoring

_MOST_PERIODS = 16


class Outcomes:
    """The rows of a window as quality is measured on them.

    Args:
        rows: scored rows.
        profile: of the version that answered.
        seed: of the draws.
    """

    def __init__(self, rows: pa.Table, profile: Profile, seed: int) -> None:
        self._rows, self._profile, self._seed = rows, profile, seed
        self._classes = None if profile.classes is None else np.array(profile.classes, dtype=object)
        self._scores = scores_of(rows, profile.classes)
        self.known = np.zeros(len(rows), dtype=bool)
        truth = np.full(len(rows), None, dtype=object)
        if OUTCOME in rows.column_names and self._classes is not None:
            truth = as_text(rows[OUTCOME]).to_numpy(zero_copy_only=False)
            # a class that the model does not know can't be scored
            self.known = pc.is_in(rows[OUTCOME], pa.array(profile.classes)).to_numpy()
        elif OUTCOME in rows.column_names:
            truth = as_numbers(rows[OUTCOME])
            self.known = np.isfinite(truth)
        self._truth = truth

    def quality(self, mask: np.ndarray | None = None) -> Quality | None:
        """Of the rows with outcomes, or those of a mask among them."""
        chosen = self.known if mask is None else self.known & mask
        return measure_quality(self._scored(chosen), self._profile.metric, self._bins, self._seed)

    def estimate(self, mask: np.ndarray | None = None) -> Quality | None:
        """What can be expected of all rows, or those of a mask; None for a regression."""
        if self._classes is None or self._profile.calibration is None:
            return None
        scores = self._scores if mask is None else self._scores[mask]
        metric, lines = self._profile.metric, self._profile.calibration
        found = estimate_quality(scores, self._classes, lines, metric, self._bins, self._seed)
        if found is None or self._profile.estimated is None:
            return found
        # The lines were fitted to the reference rows, and so flatter them.
        too_much = self._profile.estimated - self._profile.quality[0].metric
        return found._replace(metric=found.metric - too_much)

    def metrics(self) -> dict[str, float]:
        """All metrics of the task on the rows with outcomes."""
        scored, ones = self._scored(self.known), np.ones((int(self.known.sum()), 1))
        names = metric_names(self._profile.contract.task) if len(ones) > 1 else []
        found = {name: float(prepare(name, scored, self._bins)(ones)[0]) for name in names}
        return {name: value for name, value in found.items() if np.isfinite(value)}

    def in_slice(self, one: SliceQuality) -> np.ndarray:
        """Which rows are of a slice of the profile."""
        if one.column is None:
            return np.ones(len(self._rows), dtype=bool)
        return pc.fill_null(pc.equal(as_text(self._rows[INPUT + one.column]), one.value), False).to_numpy(
            zero_copy_only=False
        )

    def _scored(self, mask: np.ndarray) -> LabelledScores:
        return LabelledScores(self._truth[mask], self._scores[mask], self._classes)

    @property
    def _bins(self) -> int:
        return self._profile.calibration_bins


def check_quality(outcomes: Outcomes, profile: Profile, settings: Monitoring) -> list[Finding]:
    """The metric against the reference's, of all rows and of each slice, or else its estimate."""
    if outcomes.known.sum() < settings.min_rows:
        estimate = outcomes.estimate()
        if estimate is None:
            return []
        whole = profile.quality[0]
        loss = _loss(estimate, whole, profile.metric, settings, 1)
        return [Finding.of("estimated_quality", "all rows", loss, _say(estimate, whole, profile))]
    compared: list[tuple[SliceQuality, Quality]] = []
    for one in profile.quality:
        found = outcomes.quality(outcomes.in_slice(one))
        # an outcome more or less makes much of a difference in a small part
        if found is not None and (one.column is None or found.rows >= settings.min_rows / 2):
            compared.append((one, found))
    if not compared or compared[0][0].column is not None:  # the rows as a whole have no metric
        return []
    losses = [_loss(found, one, profile.metric, settings, len(compared)) for one, found in compared]
    return [
        Finding.of(
            "quality",
            "all rows" if one.column is None else f"{one.column} = {one.value}",
            loss,
            _say(found, one, profile),
            # A part that has lost more than the whole is where to look; others have only lost with it.
            1.0 if one.column is None else (loss.value - losses[0].value) / loss.limit,
        )
        for (one, found), loss in zip(compared, losses, strict=True)
    ]


def _loss(now: Quality, before: SliceQuality, metric: str, settings: Monitoring, n_compared: int) -> Limit:
    """The loss, and what it has to be to be sure of it among so many."""
    error = (now.error**2 + before.error**2) ** 0.5
    by_chance = normal_quantile(settings.false_alarms / n_compared) * error
    return Limit(worsening(metric, before.metric, now.metric), max(by_chance, settings.floors.quality))


def _say(now: Quality, before: SliceQuality, profile: Profile) -> str:
    return f"{profile.metric} {now.metric:.3f} on {now.rows:,} rows, in the reference {before.metric:.3f}"


def over_time(rows: pa.Table, outcomes: Outcomes) -> Iterator[dict[str, Any]]:
    """Rows, fallbacks, the metric and its estimate by period of the window: hours, days, weeks or months."""
    if "event_time" not in rows.column_names or not len(rows):
        return
    times = pd.Series(rows["event_time"].to_numpy())
    length = (times.max() - times.min()) / pd.Timedelta(days=1)
    frequency = next(name for name, days in _FREQUENCIES.items() if length / days <= _MOST_PERIODS)
    periods = times.dt.to_period(frequency)
    fell_back = as_text(rows["source"]).to_numpy(zero_copy_only=False) == "fallback"
    for period in sorted(periods.unique()):
        mask = (periods == period).to_numpy()
        yield {
            "period": str(period.start_time.date() if frequency != "h" else period.start_time),
            "rows": int(mask.sum()),
            "fallback_share": float(fell_back[mask].mean()),
            "measured": _as_dict(outcomes.quality(mask)),
            "estimated": _as_dict(outcomes.estimate(mask)),
        }


_FREQUENCIES = {"h": 1 / 24, "D": 1, "W": 7, "M": 30, "Q": 91, "Y": float("inf")}


def _as_dict(quality: Quality | None) -> dict[str, Any] | None:
    return None if quality is None else quality._asdict()
