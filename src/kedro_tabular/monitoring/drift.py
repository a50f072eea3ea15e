"""How far live rows are from the reference, and how far they would be by chance.

All measures compare counts of bins, so that a window of any length costs the same. Each takes the counts of
live and of reference rows, of shape (..., n_bins), and gives an array of shape (...).
"""

from typing import Literal, NamedTuple

import numpy as np

from .profile import MonitoredColumn

_SMOOTHING = 0.5  # rows added to each bin: an empty one is no proof (Jeffreys' prior)
PSI, JENSEN_SHANNON, WASSERSTEIN = "psi", "jensen_shannon", "wasserstein"
MISSING, NEW = "missing", "new_category"


Unit = Literal["rows", "blocks"]


class Limit(NamedTuple):
    """What a measure has to exceed."""

    value: float
    limit: float

    @property
    def severity(self) -> float:
        """How often the value holds the limit; more than 1 is a finding."""
        return self.value / self.limit


def population_stability_index(live: np.ndarray, reference: np.ndarray) -> np.ndarray:
    """The symmetric Kullback-Leibler divergence of the shares of the bins.

    Siddiqi 2006, "Credit Risk Scorecards"; its distribution by chance: Yurdakul and Naranjo 2020,
    https://doi.org/10.21314/JRMV.2020.227.
    """
    p, q = _smooth(live), _smooth(reference)
    return ((p - q) * np.log(p / q)).sum(axis=-1)


def jensen_shannon(live: np.ndarray, reference: np.ndarray) -> np.ndarray:
    """The Jensen-Shannon distance, from 0 to 1 (Lin 1991, https://doi.org/10.1109/18.61115)."""
    p, q = _smooth(live), _smooth(reference)
    middle = (p + q) / 2
    divergence = (p * np.log2(p / middle) + q * np.log2(q / middle)).sum(axis=-1) / 2
    return np.sqrt(np.maximum(divergence, 0))


def wasserstein(watched: MonitoredColumn, live: np.ndarray, reference: np.ndarray) -> np.ndarray:
    """The Wasserstein distance of numbers, in standard deviations of the reference; 0 where there are none.

    It is the area between the two distribution functions, which are taken as straight within a bin, or as
    steps where a bin holds but one value. What is outside the edges counts as up to one standard deviation
    away from them.
    """
    scale, edges = watched.deviation or 1.0, np.array(watched.edges)
    between = np.abs(np.cumsum(_shares(live[..., 1:]) - _shares(reference[..., 1:]), axis=-1))
    if watched.discrete:
        places = np.concatenate([[edges[0] - scale], edges[:-1], [edges[-1] + scale]])
        area = (between[..., :-1] * np.diff(places)).sum(axis=-1)
    else:
        places = np.concatenate([[edges[0] - scale], edges, [edges[-1] + scale]])
        between = np.concatenate([np.zeros((*between.shape[:-1], 1)), between], axis=-1)
        area = ((between[..., 1:] + between[..., :-1]) / 2 * np.diff(places)).sum(axis=-1)
    both = (live[..., 1:].sum(axis=-1) > 0) & (reference[..., 1:].sum(axis=-1) > 0)
    return np.where(both, area / scale, 0.0)


def missing_change(live: np.ndarray, reference: np.ndarray) -> np.ndarray:
    """By how much the share of missing values has changed."""
    return np.abs(_shares(live)[..., 0] - _shares(reference)[..., 0])


def new_category_change(live: np.ndarray, reference: np.ndarray) -> np.ndarray:
    """By how much the share of categories that training has not seen has grown."""
    return _shares(live)[..., -1] - _shares(reference)[..., -1]


def measure(watched: MonitoredColumn, live: np.ndarray, reference: np.ndarray) -> dict[str, np.ndarray]:
    """All measures that fit the column, by name."""
    found = {
        PSI: population_stability_index(live, reference),
        JENSEN_SHANNON: jensen_shannon(live, reference),
        MISSING: missing_change(live, reference),
    }
    if watched.edges is None:
        return found | {NEW: new_category_change(live, reference)}
    return found | {WASSERSTEIN: wasserstein(watched, live, reference)}


def find_limits(
    columns: list[tuple[MonitoredColumn, np.ndarray, np.ndarray]],
    floors: dict[str, float],
    unit: Unit,
    n_draws: int,
    false_alarms: float,
    seed: int,
) -> dict[str, dict[str, Limit]]:
    """Measure columns, each with the limit that it would pass by chance in few windows only.

    Windows as long as the live one, and references as long as the profile's, are drawn from the profile. Each
    measure is taken in units of its own spread over the draws, and the limit is the same for all in these
    units: the value that the largest of them passes in a share `false_alarms` of the draws. So it holds for
    all measures of all columns together (Westfall and Young 1993, "Resampling-Based Multiple Testing").

    Args:
        columns: each with its live counts, shape (n_bins,), and those of the profile, (n_blocks, n_bins).
        floors: by measure what is never told, however sure.
        unit: what is drawn: single rows, or whole blocks of the profile, whose rows then stay together.
        n_draws: how many windows are drawn.
        false_alarms: share of windows without drift in which anything passes its limit.
        seed: of the draws.

    Returns:
        The limits by column and measure.
    """
    if not columns:
        return {}
    rng = np.random.default_rng(seed)
    drawn: dict[tuple[str, str], np.ndarray] = {}
    for watched, live, blocks in columns:
        if unit == "rows":
            pair = _draw_rows(blocks.sum(axis=0), int(live.sum()), n_draws, rng)
        else:  # the same blocks for each column, since columns move together
            pair = _draw_blocks(blocks, int(live.sum()), n_draws, np.random.default_rng(seed))
        drawn |= {(watched.name, name): values for name, values in measure(watched, *pair).items()}
    values = np.stack(list(drawn.values()))
    means, spreads = values.mean(axis=1), values.std(axis=1) + 1e-12
    largest = ((values - means[:, None]) / spreads[:, None]).max(axis=0)
    limits = dict(zip(drawn, means + np.quantile(largest, 1 - false_alarms) * spreads, strict=True))
    found: dict[str, dict[str, Limit]] = {}
    for watched, live, blocks in columns:
        for name, value in measure(watched, live, blocks.sum(axis=0)).items():
            limit = max(float(limits[watched.name, name]), floors[name])
            found.setdefault(watched.name, {})[name] = Limit(float(value), limit)
    return found


Pair = tuple[np.ndarray, np.ndarray]


def _draw_rows(totals: np.ndarray, n_rows: int, n_draws: int, rng: np.random.Generator) -> Pair:
    """Counts of live windows and of references, each of shape (n_draws, n_bins)."""
    shares = _smooth(totals)
    return rng.multinomial(n_rows, shares, n_draws), rng.multinomial(totals.sum(), shares, n_draws)


def _draw_blocks(blocks: np.ndarray, n_rows: int, n_draws: int, rng: np.random.Generator) -> Pair:
    alike = np.full(len(blocks), 1 / len(blocks))
    n_blocks = max(1, round(n_rows * len(blocks) / max(int(blocks.sum()), 1)))
    live, reference = (rng.multinomial(n, alike, n_draws) for n in (n_blocks, len(blocks)))
    return live @ blocks, reference @ blocks


def _smooth(counts: np.ndarray) -> np.ndarray:
    added = counts + _SMOOTHING
    return added / added.sum(axis=-1, keepdims=True)


def _shares(counts: np.ndarray) -> np.ndarray:
    return counts / np.maximum(counts.sum(axis=-1, keepdims=True), 1)
