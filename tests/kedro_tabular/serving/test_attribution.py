"""Which of many models an outcome is of."""

import datetime as dt

import pytest
from kedro_tabular.serving.log.attribution import add_outcomes_of_models
from kedro_tabular.serving.log.prediction_log import PredictionLog
from kedro_tabular.serving.routing import Router
from kedro_tabular.serving.settings import ManySettings

from .conftest import settings_of
from .test_prediction_log import row

NOW = dt.datetime(2025, 1, 1)
KEYS = ["store", "customer"]


@pytest.fixture
def log(new_url):
    opened = PredictionLog(new_url)
    yield opened
    opened.close()


@pytest.fixture
def settings(tmp_path):
    shared = settings_of(tmp_path, log={"url": f"sqlite:///{tmp_path}/log.db", "keys": KEYS})
    models = dict.fromkeys(["pooled", "store_1", "store_2"], shared)
    segments = {"store_1": {"store": 1}, "store_2": {"store": 2}}
    return ManySettings(shared=shared, models=models, segments=segments, default="pooled")


def outcome(reference, value=1):
    return {"reference": reference, "time": NOW + dt.timedelta(days=1), "outcome": str(value)}


def outcomes_of(log):
    table = log.read()
    return {f"{one.model} {one.id}": one.outcome for one in table.itertuples()}


def predict(log, *predictions):
    log.append([row(0, id=name, model=model, key=key, time=NOW, event_time=NOW) for model, name, key in predictions])


def test_an_outcome_is_of_the_models_that_have_predicted_its_row(log, settings):
    predict(
        log,
        ("store_1", "a", '[1,"ann"]'),
        ("pooled", "b", '[1,"bob"]'),  # when there was no champion of the store
        ("pooled", "c", '[1,"ann"]'),  # the same row, by name
        ("elsewhere", "d", '[1,"ann"]'),  # of another project in the same log
    )
    sent = [outcome('key:["1","ann"]'), outcome("id:b", 0)]
    assert add_outcomes_of_models(log, settings, Router(settings.segments), sent) == 0
    found = outcomes_of(log)
    assert found["store_1 a"] == found["pooled c"] == 1
    assert found["pooled b"] == 0
    assert found["elsewhere d"] != found["elsewhere d"]  # missing


def test_an_outcome_before_its_prediction_is_of_the_model_that_its_key_names(log, settings):
    early = [outcome('key:[2,"eve"]'), outcome('key:[9,"eve"]'), outcome("id:unknown")]
    early = [one | {"time": NOW} for one in early]
    assert add_outcomes_of_models(log, settings, Router(settings.segments), early) == 3
    predict(log, ("store_2", "a", '[2,"eve"]'), ("pooled", "b", '[9,"eve"]'))
    assert outcomes_of(log) == {"store_2 a": 1, "pooled b": 1}


def test_many_outcomes_are_found_in_parts(log, settings):
    predict(log, *[(f"store_{1 + number % 2}", f"id-{number}", None) for number in range(1200)])
    sent = [outcome(f"id:id-{number}") for number in range(1200)]
    assert add_outcomes_of_models(log, settings, Router(settings.segments), sent) == 0
    assert log.read()["outcome"].eq(1).all()
