"""What has moved: each column of rows and answers, all inputs together, and the reasons against rows."""

from typing import Any

import numpy as np
import pyarrow as pa
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.inspection import permutation_importance
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import StratifiedKFold, cross_val_predict
from threadpoolctl import threadpool_limits

from ..contract import as_text
from .checks import Finding, normal_quantile
from .drift import MISSING, NEW, WASSERSTEIN, Limit, Unit, find_limits
from .profile import MonitoredColumn, Profile, bin_rows, count_reasons
from .settings import Check, Monitoring

_CHECKS: dict[str, Check] = {"input": "drift", "output": "output_drift", "outcome": "outcome_drift"}
_UNITS: tuple[Unit, ...] = ("rows", "blocks")
_FOLDS, _TOLD = 2, 3


def compare_columns(
    rows: pa.Table, profile: Profile, settings: Monitoring, seed: int
) -> tuple[list[Finding], list[dict[str, Any]]]:
    """Each watched column against the reference: what is found, and what the report draws of it."""
    counted = [
        (one, one.count(rows), profile.counts(one.name)) for one in profile.watched if one.column in rows.column_names
    ]
    counted = [(one, live, blocks) for one, live, blocks in counted if live.sum() >= settings.min_rows]
    by_unit = {
        unit: find_limits(counted, settings.floors.model_dump(), unit, settings.draws, settings.false_alarms, seed)
        for unit in _UNITS
    }
    for name, of_blocks in by_unit["blocks"].items():  # rows of a block differ, too
        for measure, (value, limit) in of_blocks.items():
            of_blocks[measure] = Limit(value, max(limit, by_unit["rows"][name][measure].limit))
    findings, drawn = [], []
    for watched, live, blocks in counted:
        measures = by_unit[settings.draw][watched.name]
        among_blocks = by_unit["blocks"][watched.name]
        worst = max(measures, key=lambda name: measures[name].severity)
        before = blocks.sum(axis=0)
        says = _say(watched, worst, measures[worst], live, before, rows)
        # What moves with the season of every week is told after what does not.
        beyond = max(limit.severity for limit in among_blocks.values())
        if len(blocks) > 1 and beyond <= 1 < measures[worst].severity:
            says += " (as much as days of the reference differ)"
        finding = Finding.of(_CHECKS[watched.group], watched.name, measures[worst], says, beyond)
        findings.append(finding)
        drawn.append(
            {
                "name": watched.name,
                "group": watched.group,
                "labels": watched.labels,
                "live": (live / live.sum()).tolist(),
                "reference": (before / before.sum()).tolist(),
                "measures": {name: limit._asdict() for name, limit in measures.items()},
                "severity": measures[worst].severity,
            }
        )
    return findings, drawn


def _say(
    watched: MonitoredColumn, measure: str, found: Limit, live: np.ndarray, before: np.ndarray, rows: pa.Table
) -> str:
    now, then = live / live.sum(), before / before.sum()
    if measure == MISSING:
        return f"{now[0]:.2%} missing, in the reference {then[0]:.2%}"
    if measure == NEW:
        unseen = rows[watched.column].filter(pa.array(watched.codes(rows) == watched.n_bins - 1))
        counts = sorted(as_text(unseen).value_counts().to_pylist(), key=lambda entry: -entry["counts"])
        named = ", ".join(f"{entry['values']} ({entry['counts'] / live.sum():.1%})" for entry in counts[:_TOLD])
        return f"{now[-1]:.1%} of rows in categories that training has not seen ({named})"
    moved = f"{measure.replace('psi', 'PSI').replace('_', '-')} {found.value:.3f}"
    if measure == WASSERSTEIN:
        moved = f"moved by {found.value:.2f} standard deviations"
    values = watched.numbers(rows) if watched.mean is not None else np.empty(0)
    if np.isfinite(values).any():
        mean = float(values[np.isfinite(values)].mean())
        return f"{moved}: the mean is {mean:.4g}, in the reference {watched.mean:.4g}"
    most = int(np.argmax(np.abs(now - then)))
    return f"{moved}: {watched.labels[most]} in {now[most]:.1%} of rows, in the reference {then[most]:.1%}"


def classify_domain(rows: pa.Table, profile: Profile, settings: Monitoring, seed: int) -> Finding:
    """Whether a classifier can tell live rows from reference rows, and by which columns.

    The ROC AUC of out-of-fold scores (Lopez-Paz and Oquab 2017, https://arxiv.org/abs/1610.06545), against
    that of a classifier that can't, which varies as the Mann-Whitney statistic does.
    """
    inputs = list(profile.of_group("input"))
    reference = np.array(profile.sample)
    rng = np.random.default_rng(seed)
    some = np.sort(rng.choice(len(rows), min(len(rows), len(reference)), replace=False))
    features = np.concatenate([reference, bin_rows(inputs, rows.take(some))])
    is_live = np.arange(len(features)) >= len(reference)
    n, m = len(some), len(reference)
    by_chance = 0.5 + normal_quantile(settings.false_alarms) * ((n + m + 1) / (12 * n * m)) ** 0.5
    model = HistGradientBoostingClassifier(max_iter=20, max_leaf_nodes=8, random_state=seed)
    folds = StratifiedKFold(_FOLDS, shuffle=True, random_state=seed)
    with threadpool_limits(1, "openmp"):  # of so few rows, threads would only wait for each other
        scores = cross_val_predict(model, features, is_live, cv=folds, method="predict_proba")
        area = float(roc_auc_score(is_live, scores[:, 1]))
        limit = Limit(area, max(by_chance, settings.floors.domain))
        says = f"a classifier tells live rows from the reference with ROC AUC {area:.3f}"
        if area > limit.limit:
            train, test = next(folds.split(features, is_live))
            model.fit(features[train], is_live[train])
            shuffled = permutation_importance(
                model, features[test], is_live[test], scoring="roc_auc", n_repeats=1, random_state=seed
            ).importances_mean
            giving = [inputs[k].name for k in np.argsort(-shuffled, kind="stable")[:_TOLD] if shuffled[k] > 0]
            says += f", by {', '.join(giving)}"
    return Finding.of("domain", "all inputs", limit, says)


def compare_reasons(rows: pa.Table, profile: Profile, settings: Monitoring) -> list[Finding]:
    """How many more rows have a reason against them than in the reference."""
    counts = count_reasons(rows)
    names = sorted(counts.keys() | profile.reasons.keys())
    found = []
    for name in names:
        now, then = counts.get(name, 0) / len(rows), profile.reasons.get(name, 0) / profile.rows
        both = (counts.get(name, 0) + profile.reasons.get(name, 0)) / (len(rows) + profile.rows)
        error = (both * (1 - both) * (1 / len(rows) + 1 / profile.rows)) ** 0.5
        limit = max(normal_quantile(settings.false_alarms / len(names)) * error, settings.floors.reason)
        says = f"{now:.1%} of rows, in the reference {then:.1%}"
        found.append(Finding.of("reason", name, Limit(now - then, limit), says))
    return found
