"""Checks of drift: each monitored column, all inputs together, and the reasons of rows."""

from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.inspection import permutation_importance
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import StratifiedKFold, cross_val_predict

from ..modelling import one_thread
from .causes import Change, describe_change
from .drift import CountedColumn, Finding, Measurement, find_thresholds, normal_quantile
from .profile import OUTCOME, Group, Profile, bin_rows, count_reasons
from .settings import DriftCheck, Monitoring
from .text import printable

_CHECKS: dict[Group, DriftCheck] = {"input": "drift", "output": "output_drift", "outcome": "outcome_drift"}
_FOLDS = 2
_MAX_NAMES = 3  # of columns in a finding


def compare_columns(
    rows: pa.Table, profile: Profile, settings: Monitoring, seed: int
) -> tuple[list[Finding], list[dict[str, Any]]]:
    """Each monitored column against the reference: the findings, and the distributions for the report."""
    there = [column for column in profile.watched if column.column in rows.column_names]
    counted = [(column, column.count(rows), profile.counts(column.name)) for column in there]
    counted = [(column, live, blocks) for column, live, blocks in counted if live.sum() >= settings.min_rows]
    floors = settings.floors.model_dump()
    by_rows = find_thresholds(counted, floors, "rows", settings.draws, settings.false_alarms, seed)
    n_blocks = _count_blocks(counted, rows, profile)
    by_blocks = find_thresholds(counted, floors, "blocks", settings.draws, settings.false_alarms, seed, n_blocks)
    findings, distributions = [], []
    for column, live, blocks in counted:
        of_rows = by_rows[column.name]
        of_blocks = {  # the rows of a block vary, too
            name: Measurement(value, max(limit, of_rows[name].limit))
            for name, (value, limit) in by_blocks[column.name].items()
        }
        measurements, reference = of_blocks if settings.draw == "blocks" else of_rows, blocks.sum(axis=0)
        worst = max(measurements, key=lambda name: measurements[name].severity)
        severity = measurements[worst].severity
        says = describe_change(Change(column, measurements, live, reference, rows), worst, settings)
        # Columns that vary as much between the days of the reference are ranked last.
        rank = max(measurement.severity for measurement in of_blocks.values())
        if len(blocks) > 1 and rank <= 1 < severity:
            says += " (no more than between days of the reference)"
        findings.append(Finding.of(_CHECKS[column.group], column.name, measurements[worst], says, rank))
        distribution = {
            "name": column.name,
            "group": column.group,
            "labels": column.labels,
            "live": (live / live.sum()).tolist(),
            "reference": (reference / reference.sum()).tolist(),
            "measures": {name: measurement._asdict() for name, measurement in measurements.items()},
            "severity": severity,
        }
        distributions.append(distribution)
    return findings, distributions


def _count_blocks(columns: list[CountedColumn], rows: pa.Table, profile: Profile) -> dict[str, int]:
    """By column how many blocks of the reference the days of the window make; none if the rows have no time.

    More rows on the same days don't make more days.
    """
    if "event_time" not in rows.column_names:
        return {}
    days = {group: _effective_days(rows["event_time"]) for group in _CHECKS}
    if OUTCOME in rows.column_names:
        days["outcome"] = _effective_days(rows["event_time"].filter(pc.is_valid(rows[OUTCOME])))
    n_blocks = {}
    for column, live, blocks in columns:
        in_window = days[column.group] / (profile.days_per_block or 1)
        if profile.days_per_block is None:  # a block may have been more than a day
            in_window = min(in_window, live.sum() * len(blocks) / max(blocks.sum(), 1))
        n_blocks[column.name] = max(1, round(in_window))
    return n_blocks


def _effective_days(times: pa.ChunkedArray) -> float:
    """The number of days with rows; fewer if some days have more rows than others (Kish 1965, "Survey Sampling")."""
    counts = np.unique(times.to_numpy().astype("datetime64[D]"), return_counts=True)[1]
    return float(counts.sum() ** 2 / max(np.square(counts).sum(), 1))


def classify_domain(rows: pa.Table, profile: Profile, settings: Monitoring, seed: int) -> Finding:
    """Whether a classifier can separate the rows of the window from reference rows, and by which columns.

    The value is the ROC AUC of its out-of-fold scores (Lopez-Paz and Oquab 2017, https://arxiv.org/abs/1610.06545).
    The threshold follows from the distribution of the Mann-Whitney statistic for a classifier that can't.
    """
    columns, reference = profile.inputs, np.array(profile.sample)
    n_live, n_reference = min(len(rows), len(reference)), len(reference)
    sample = np.sort(np.random.default_rng(seed).choice(len(rows), n_live, replace=False))
    features = np.concatenate([reference, bin_rows(columns, rows.take(sample))])
    is_live = np.arange(len(features)) >= n_reference
    error = ((n_live + n_reference + 1) / (12 * n_live * n_reference)) ** 0.5
    by_chance = 0.5 + normal_quantile(settings.false_alarms) * error
    model = HistGradientBoostingClassifier(max_iter=20, max_leaf_nodes=8, random_state=seed)
    folds = StratifiedKFold(_FOLDS, shuffle=True, random_state=seed)
    with one_thread():
        scores = cross_val_predict(model, features, is_live, cv=folds, method="predict_proba")
        measured = Measurement(float(roc_auc_score(is_live, scores[:, 1])), max(by_chance, settings.floors.domain))
        says = f"a classifier separates the rows from the reference with ROC AUC {measured.value:.3f}"
        if measured.value > measured.limit:
            train, test = next(folds.split(features, is_live))
            model.fit(features[train], is_live[train])
            importances = permutation_importance(
                model, features[test], is_live[test], scoring="roc_auc", n_repeats=1, random_state=seed
            ).importances_mean
            largest = np.argsort(-importances, kind="stable")[:_MAX_NAMES]
            says += f", mainly by {', '.join(columns[k].name for k in largest if importances[k] > 0)}"
    return Finding.of("domain", "all inputs", measured, says)


def compare_reasons(rows: pa.Table, profile: Profile, settings: Monitoring) -> list[Finding]:
    """The growth of the share of rows with each reason since the reference."""
    counts = count_reasons(rows)
    names = sorted(counts.keys() | profile.reasons.keys())
    findings = []
    for name in names:
        n_live, n_reference = counts.get(name, 0), profile.reasons.get(name, 0)
        now, before = n_live / len(rows), n_reference / profile.rows
        pooled = (n_live + n_reference) / (len(rows) + profile.rows)
        error = (pooled * (1 - pooled) * (1 / len(rows) + 1 / profile.rows)) ** 0.5
        threshold = max(normal_quantile(settings.false_alarms / len(names)) * error, settings.floors.reason)
        says = f"{now:.1%} of rows, reference {before:.1%}"
        findings.append(Finding.of("reason", printable(name), Measurement(now - before, threshold), says))
    return findings
