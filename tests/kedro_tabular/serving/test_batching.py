"""Requests that share a prediction, and what of them is logged."""

import asyncio
import threading
from types import SimpleNamespace

import pandas as pd
import pytest
from kedro_tabular.contract.contract import Contract
from kedro_tabular.serving.batching import Batcher
from kedro_tabular.serving.deployment import LoadedVersion
from kedro_tabular.serving.local_cache import VersionIdentity
from kedro_tabular.serving.log.prediction_log import PredictionLog
from kedro_tabular.serving.parsing import rows_from_records

from ...conftest import fit_packaged, make_contract
from .conftest import records

CONTRACT = Contract.from_parameters(make_contract(time="moment"))


@pytest.fixture
def log(tmp_path):
    opened = PredictionLog(f"sqlite:///{tmp_path}/log.db")
    yield opened
    opened.close()


@pytest.fixture
def batcher(log):
    identity = VersionIdentity("small", "1", "run", "commit", {})
    version = LoadedVersion(identity, fit_packaged("binary"), CONTRACT, pd.DataFrame(), ["0", "1"])
    started = Batcher(SimpleNamespace(current=version), log, ["order"])
    yield started
    started.close()


def make_rows(**values):
    return lambda contract: rows_from_records(records(1, **values), "records", contract, ["order"])


def test_the_time_is_logged_even_if_it_is_no_feature(batcher, log):
    asyncio.run(batcher.predict(make_rows(moment="2019-05-06T07:08:09", order=7), False))
    logged = log.read()
    assert logged["event_time"].tolist() == [pd.Timestamp("2019-05-06T07:08:09")]
    assert logged["key"].tolist() == ["[7]"]


def test_requests_that_nobody_waits_for_are_not_predicted(batcher, log):
    started, proceed = threading.Event(), threading.Event()

    def make_rows_slowly(contract):
        started.set()
        proceed.wait(30)
        return make_rows(order=1)(contract)

    async def send():
        slow = asyncio.create_task(batcher.predict(make_rows_slowly, False))
        await asyncio.to_thread(started.wait)
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(batcher.predict(make_rows(order=2), False), 0.05)
        last = asyncio.create_task(batcher.predict(make_rows(order=3), False))
        await asyncio.sleep(0)
        proceed.set()
        await asyncio.gather(slow, last)

    asyncio.run(send())
    assert sorted(log.read()["input.order"]) == [1, 3]
