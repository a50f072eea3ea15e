"""How often windows without drift raise an alarm, and how often drift is found and named first.

On the real sample. `WINDOWS=200 pytest -n0 tests/sample/test_detection.py` prints the rates of README.
"""

import datetime as dt
import os

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from kedro_tabular.contract.contract import Contract
from kedro_tabular.modelling.packaged_model import PackagedModel
from kedro_tabular.monitoring.assessment import VersionRows, WindowRows, assess
from kedro_tabular.monitoring.profile import Profile
from kedro_tabular.monitoring.profiling import as_rows, profile_reference
from kedro_tabular.monitoring.scored_rows import WindowSummary
from kedro_tabular.monitoring.window import Window

from project.pipelines.data_prep.nodes import split_table
from project.pipelines.feature_engineering.nodes import fit_preprocessor
from project.pipelines.ingestion.nodes import join_flights
from project.pipelines.training.nodes import fit_guard, train_estimator, train_fallback

from ..conftest import ROOT

pytestmark = pytest.mark.slow

WEEK, A_WEEK = 7, 6300  # days, and rows in them


@pytest.fixture(scope="module")
def watch(parameters):
    """Looks at rows of the calibration month as if they were live, with a model of few trees."""
    raw = [pd.read_parquet(ROOT / "data" / "01_raw" / f"{name}.parquet") for name in ("flights", "weather", "planes")]
    table, seed = parameters["table"], parameters["seed"]
    joined = join_flights(*raw, parameters["late_after_minutes"])
    parts = split_table(joined, table, parameters["split"], seed)
    train = parts.train.iloc[::10].reset_index(drop=True)
    estimator = parameters["estimator"] | {"kwargs": {"max_iter": 30, "learning_rate": 0.2}}
    preprocessor, features = fit_preprocessor(train, table, parameters["features"], estimator["class"], seed)
    model = train_estimator(features, train, table, estimator, seed)
    fallback = train_fallback(train, table, parameters["fallback"], seed)
    guard = fit_guard(train, features, parts.calibration, preprocessor, model, table, parameters["guard"])
    fitted = (preprocessor, model, guard, fallback)
    return Watch(parameters, parts.calibration, parts.calibration, fitted)


@pytest.fixture(scope="module")
def unseen(watch):
    """The same, where the reference is one half of the month and live rows are of the other."""
    halves = np.random.default_rng(0).permutation(len(watch.table)) % 2
    reference, live = (watch.table[halves == half].reset_index(drop=True) for half in (0, 1))
    return Watch(watch.parameters, reference, live, watch.fitted)


class Watch:
    def __init__(self, parameters, reference, live, fitted):
        self.parameters, self.table, self.fitted = parameters, live, fitted
        self.contract = Contract.from_parameters(parameters["table"])
        self._model = PackagedModel.from_parts(self.contract, *fitted)
        parts, bins = parameters["features"]["datetime_parts"], parameters["evaluation"]["calibration_bins"]
        told = profile_reference(
            reference, *fitted, parameters["table"], parts, bins, parameters["profile"], parameters["seed"]
        )
        self.profile = Profile.model_validate(told)

    def look(self, table, **monitoring):
        answers = self._model.predict(table[self.contract.features])
        rows = as_rows(table, answers, self.contract, self.profile.classes)
        rows = rows.append_column("event_time", pa.array(table[self.contract.time]))
        return self.judge(rows, **monitoring)

    def judge(self, rows, **monitoring):
        window = Window(dt.datetime(2013, 9, 1), dt.datetime(2013, 10, 1))
        observed = WindowRows(
            window,
            WindowSummary({"1": len(rows)}, None, None, {}, 0),
            {"1": VersionRows(self.profile, rows, len(rows))},
            [],
        )
        settings = self.parameters["monitoring"] | monitoring
        return assess(observed, settings, self.parameters["alerts"], None, 0)[0]

    def week(self, seed):
        """As many rows as a week has, drawn from the month."""
        return self.table.sample(A_WEEK, replace=True, random_state=seed).reset_index(drop=True)

    def real_weeks(self):
        days = self.table[self.contract.time].dt.day
        for first in range(1, 32 - WEEK):
            yield self.table[days.between(first, first + WEEK - 1)].reset_index(drop=True)


def shift(table, column, rng):
    return table.assign(**{column: table[column] + 0.5 * table[column].std()})


def add_category(table, column, rng):
    return table.assign(**{column: table[column].mask(rng.random(len(table)) < 0.05, "XX")})


def lose_values(table, column, rng):
    share = table[column].isna().mean()
    return table.assign(**{column: table[column].mask(rng.random(len(table)) < 2 * share / (1 - share))})


def flip_outcomes(table, place, rng):
    column, value = place
    there = table[column] == value
    return table.assign(late=np.where(there, 1 - table["late"], table["late"]))


DRIFTS = [
    (shift, ["distance", "temp", "pressure", "wind_gust", "plane_age"], "mean"),
    (add_category, ["carrier", "origin", "dest", "manufacturer"], "unseen"),
    (lose_values, ["plane_age", "seats", "pressure", "wind_dir"], "missing"),
    (flip_outcomes, [("origin", "JFK"), ("dest", "ATL"), ("dest", "DEN")], "roc_auc"),
]


def named(subject):
    return subject if isinstance(subject, str) else " = ".join(subject)


def test_the_calibration_month_again_is_no_alert(watch):
    judged = watch.look(watch.table)
    assert judged["verdict"] == "ok"
    assert judged["findings"] == []


@pytest.mark.parametrize(("change", "subjects", "says"), DRIFTS, ids=lambda value: getattr(value, "__name__", None))
def test_drift_in_the_month_is_named_first(watch, change, subjects, says):
    for subject in subjects:
        judged = watch.look(change(watch.table, subject, np.random.default_rng(0)))
        assert judged["verdict"] == "alert"
        assert judged["findings"][0]["subject"] == named(subject)
        assert says in judged["findings"][0]["says"] or "PSI" in judged["findings"][0]["says"]


def test_windows_without_drift_raise_few_alarms_and_drift_is_found(watch, unseen, capsys):
    n_windows = int(os.environ.get("WINDOWS", "10"))
    rates = {}
    for name, there in (("of the reference itself", watch), ("of rows not in the reference", unseen)):
        alarms = [there.look(there.week(seed))["verdict"] == "alert" for seed in range(n_windows)]
        rates[f"false alarms, weeks drawn {name}"] = np.mean(alarms)
        assert np.mean(alarms) <= max(0.05, 2 / n_windows)  # of few windows, one more may be chance
    for change, subjects, _ in DRIFTS:
        for subject in subjects:
            found = []
            for seed in range(max(1, n_windows // 10)):
                judged = watch.look(change(watch.week(seed), subject, np.random.default_rng(seed)))
                found.append(bool(judged["findings"]) and judged["findings"][0]["subject"] == named(subject))
            rates[f"{change.__name__} {named(subject)}"] = np.mean(found)
    if n_windows >= 100:
        for draw in ("rows", "blocks"):
            verdicts = [watch.look(week, draw=draw) for week in watch.real_weeks()]
            rates[f"alarms in real weeks of the month, draw: {draw}"] = np.mean(
                [any(f["check"] == "drift" for f in judged["findings"]) for judged in verdicts]
            )
        with capsys.disabled():
            print("\n" + "\n".join(f"{rate:7.1%}  {name}" for name, rate in rates.items()))  # noqa: T201
    assert np.mean([rate for name, rate in rates.items() if "alarms" not in name]) > 0.7
