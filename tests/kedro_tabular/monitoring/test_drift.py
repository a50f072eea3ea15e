"""Measures of drift against those of SciPy, and thresholds against windows without drift."""

import numpy as np
import pyarrow as pa
import pytest
from kedro_tabular.monitoring import drift
from kedro_tabular.monitoring.binning import find_edges
from kedro_tabular.monitoring.drift_checks import compare_columns
from kedro_tabular.monitoring.profile import MonitoredColumn, Profile
from kedro_tabular.monitoring.settings import Monitoring
from scipy.spatial import distance
from scipy.stats import wasserstein_distance

FLOORS = {"psi": 1e-9, "jensen_shannon": 1e-9, "wasserstein": 1e-9, "missing": 1e-9, "new_category": 1e-9}


def number(values, bins=20):
    edges = find_edges(np.sort(values), bins)
    return MonitoredColumn(name="x", group="input", column="x", edges=edges, deviation=float(values.std()))


def rows(values):
    return pa.table({"x": values})


@pytest.fixture
def rng():
    return np.random.default_rng(0)


def test_the_measures_equal_those_of_scipy(rng):
    live, reference = rng.integers(100, 1000, 12), rng.integers(100, 1000, 12)
    p, q = (live + 0.5) / (live + 0.5).sum(), (reference + 0.5) / (reference + 0.5).sum()
    expected = np.sum((p - q) * np.log(p / q))
    assert drift.population_stability_index(live, reference) == pytest.approx(expected)
    assert drift.jensen_shannon(live, reference) == pytest.approx(distance.jensenshannon(p, q, base=2))
    nearly_equal = live + 1e-9 * rng.normal(size=(100, 12))  # rounding makes some divergences negative
    assert drift.jensen_shannon(live, nearly_equal) == pytest.approx(np.zeros(100), abs=1e-6)


def test_the_wasserstein_distance_of_bins_is_near_that_of_rows(rng):
    reference, live = rng.normal(10, 4, 20_000), rng.normal(12, 4.5, 20_000)
    column = number(reference)
    counts = [column.count(rows(values)) for values in (live, reference)]
    measured = drift.measure_drift(column, *counts)["wasserstein"]
    assert measured == pytest.approx(wasserstein_distance(live, reference) / reference.std(), rel=0.2)


def test_changes_of_missing_values_and_new_categories_are_measured():
    column = MonitoredColumn(name="x", group="input", column="x", values=["a", "b"], others=["c"])
    before = column.count(rows(["a", "b", "c", "a", None]))
    after = column.count(rows(["a", "z", "z", None, None]))
    assert before.tolist() == [1, 2, 1, 1, 0]
    assert after.tolist() == [2, 1, 0, 0, 2]
    measured = drift.measure_drift(column, after, before)
    assert measured["missing"] == pytest.approx(0.2)
    assert measured["new_category"] == pytest.approx(0.4)


@pytest.mark.parametrize("unit", ["rows", "blocks"])
def test_few_windows_without_drift_exceed_a_threshold_and_those_with_drift_do(rng, unit):
    columns = [number(rng.normal(size=3000)) for _ in range(8)]
    blocks = [np.stack([column.count(rows(rng.normal(size=100))) for _ in range(30)]) for column in columns]

    def raised(shift, seed):
        values = np.random.default_rng(seed)
        live = [column.count(rows(values.normal(shift * (k == 3), size=700))) for k, column in enumerate(columns)]
        named = [column.model_copy(update={"name": str(k)}) for k, column in enumerate(columns)]
        counted = list(zip(named, live, blocks, strict=True))
        measured = drift.find_thresholds(counted, FLOORS, unit, 400, 0.02, seed)
        return {name for name, measures in measured.items() if any(m.severity > 1 for m in measures.values())}

    assert sum(bool(raised(0, seed)) for seed in range(50)) <= 4
    assert all("3" in raised(0.5, seed) for seed in range(20))


def test_blocks_that_differ_from_each_other_raise_the_threshold(rng):
    column = number(rng.normal(size=3000))
    blocks = np.stack([column.count(rows(rng.normal(day, 0.3, 100))) for day in rng.normal(size=30)])
    live = column.count(rows(np.concatenate([rng.normal(day, 0.3, 100) for day in rng.normal(size=7)])))
    by_unit = {
        unit: drift.find_thresholds([(column, live, blocks)], FLOORS, unit, 400, 0.02, 0)["x"]["psi"]
        for unit in ("rows", "blocks")
    }
    assert by_unit["rows"].severity > 2
    assert by_unit["blocks"].severity < 1


def make_profile(column, values, blocks, **changes):
    fields = {
        "table": {},
        "classes": None,
        "rows": len(values),
        "watched": [column],
        "reasons": {},
        "blocks": {column.name: column.count_by_block(rows(values), blocks).tolist()},
        "days_per_block": 1.0,
        "sample": [],
        "metric": "mae",
        "calibration_bins": 10,
        "quality": [],
        "calibration": None,
        "estimated": None,
    }
    return Profile(**fields | changes)


def draw_days(rng, n_days, n_rows):
    """Numbers of which those of one day are similar, and the day of each."""
    days = np.repeat(np.arange(n_days), n_rows)
    return rng.normal(np.repeat(rng.normal(0, 0.3, n_days), n_rows)), days


def window(values, days):
    return pa.table({"x": values, "event_time": np.datetime64("2020-03-01", "us") + days * np.timedelta64(1, "D")})


@pytest.fixture(scope="module")
def by_blocks(parameters):
    floors = parameters["monitoring"]["floors"] | dict.fromkeys(FLOORS, 1e-9)
    changes = {"draw": "blocks", "draws": 400, "false_alarms": 0.02, "min_rows": 50, "floors": floors}
    return Monitoring.read("monitoring", parameters["monitoring"] | changes)


@pytest.mark.parametrize("traffic", [0.2, 1, 10])
def test_windows_without_drift_raise_few_alarms_however_many_rows_a_day_has(by_blocks, traffic):
    alarms = 0
    for seed in range(100):
        rng = np.random.default_rng(seed)
        values, days = draw_days(rng, 50, 100)
        profile = make_profile(number(values, 10), values, days)
        live = window(*draw_days(rng, 7, int(100 * traffic)))
        alarms += compare_columns(live, profile, by_blocks, seed)[0][0].raised
    assert alarms <= 7  # of a hundred; two are expected


def test_drift_is_found_however_many_rows_a_day_has(by_blocks):
    values, days = draw_days(np.random.default_rng(0), 50, 100)
    profile = make_profile(number(values, 10), values, days)
    for seed, n_rows in enumerate((20, 100, 1000)):
        live, days = draw_days(np.random.default_rng(seed), 7, n_rows)
        assert compare_columns(window(live + 1, days), profile, by_blocks, 0)[0][0].raised


def test_the_limit_depends_on_the_days_of_the_window_and_of_a_block(by_blocks):
    values, days = draw_days(np.random.default_rng(0), 50, 100)
    profile = make_profile(number(values, 10), values, days)

    def limit(profile, n_days, n_rows, **columns):
        live = window(*draw_days(np.random.default_rng(1), n_days, n_rows))
        for name, column in columns.items():
            live = live.append_column(name, column)
        return compare_columns(live, profile, by_blocks, 0)[1][0]["measures"]["wasserstein"]["limit"]

    assert limit(profile, 7, 1000) == limit(profile, 7, 5000)
    assert limit(profile, 3, 1000) > limit(profile, 7, 1000) > limit(profile, 14, 1000)
    of_two_days = profile.model_copy(update={"days_per_block": 2.0})
    assert limit(of_two_days, 14, 1000) == limit(profile, 7, 1000)
    # a profile of an earlier release does not say how many days a block has
    unknown = profile.model_copy(update={"days_per_block": None})
    assert limit(unknown, 7, 1000) == limit(profile, 7, 1000)
    assert limit(unknown, 14, 50) == limit(profile, 7, 100)
    # outcomes are known for some days only
    outcome = profile.watched[0].model_copy(update={"group": "outcome", "column": "outcome"})
    known = pa.array(np.where(np.arange(7000) < 3000, 0.5, np.nan), from_pandas=True)
    outcomes = profile.model_copy(update={"watched": [outcome]})
    assert limit(outcomes, 7, 1000, outcome=known) == limit(profile, 3, 1000)


@pytest.mark.parametrize(
    ("values", "edges"),
    [
        ([3.0] * 5, [3, 3]),
        ([1.0, 2.0, 2.0, 5.0], [1, 2, 5, 5]),
        ([0.0] * 90 + [float(v) for v in range(1, 101)], None),
        ([float(v) for v in range(100)] + [100.0] * 90, None),
    ],
)
def test_edges_give_a_frequent_value_a_bin_of_its_own(values, edges):
    result = find_edges(np.sort(values), 10)
    assert result == sorted(result)
    if edges is not None:
        assert result == edges
    column = MonitoredColumn(name="x", group="input", column="x", edges=result)
    counts = column.count(rows(values))
    assert counts.sum() == len(values)
    assert counts[:2].sum() + counts[-1] == 0  # nothing is missing or outside
    frequent = max(set(values), key=values.count)
    if values.count(frequent) > len(values) / 10:
        code = column.codes(rows([frequent]))[0]
        assert counts[code] == values.count(frequent)
        larger = min((value for value in values if value > frequent), default=frequent + 1e-6)
        assert column.codes(rows([larger]))[0] != code


def test_values_outside_the_edges_or_of_another_type_have_bins_too():
    column = MonitoredColumn(name="x", group="input", column="x", edges=[0.0, 5.0, 10.0])
    table = pa.table({"x": pa.array([-1.0, 0.0, 5.0, 10.0, 10.5, None, float("nan"), float("inf")])})
    assert column.codes(table).tolist() == [1, 2, 3, 3, 4, 0, 0, 4]
    assert column.codes(pa.table({"x": ["7", "x"]})).tolist() == [0, 0]
    assert column.codes(pa.table({"x": pa.nulls(2)})).tolist() == [0, 0]
