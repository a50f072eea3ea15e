"""Requests that share a prediction, which of them are refused or dropped, and what of them is logged."""

import asyncio
import threading
from contextlib import ExitStack
from types import SimpleNamespace

import pandas as pd
import pytest
from kedro_tabular.contract.contract import Contract
from kedro_tabular.serving.backlog import Backlog, Paces
from kedro_tabular.serving.batching import Batcher
from kedro_tabular.serving.errors import RequestError
from kedro_tabular.serving.loaded_version import LoadedVersion
from kedro_tabular.serving.local_cache import VersionIdentity
from kedro_tabular.serving.log.prediction_log import PredictionLog
from kedro_tabular.serving.parsing import rows_from_records
from kedro_tabular.serving.pending import PendingRequest
from kedro_tabular.serving.settings import Limits

from ...conftest import fit_packaged, make_contract
from .conftest import records, share_batches

CONTRACT = Contract.from_parameters(make_contract(time="moment"))
LIMITS = {"body_mb": 1, "rows": 500, "explained_rows": 20, "seconds": 30}


class Gate:
    """Lets a thread wait until it may go on, and tells that it waits."""

    def __init__(self):
        self.reached, self._open = threading.Event(), threading.Event()

    def wait(self):
        self.reached.set()
        assert self._open.wait(30)

    def open(self):
        self._open.set()


class GatedModel:
    """A model that waits before it returns its predictions."""

    def __init__(self, model, gate):
        self._model, self._gate = model, gate
        self.batches = []  # the number of rows of each

    def predict_columns(self, columns, n_rows, explain):
        predictions = self._model.predict_columns(columns, n_rows, explain)
        self.batches.append(n_rows)
        self._gate.wait()
        return predictions


@pytest.fixture
def log(tmp_path):
    opened = PredictionLog(f"sqlite:///{tmp_path}/log.db")
    yield opened
    opened.close()


def make_batcher(log, model=None, **limits):
    identity = VersionIdentity("small", "1", "run", "commit", {})
    version = LoadedVersion(identity, model or fit_packaged("binary"), CONTRACT, ["0", "1"])
    return Batcher(SimpleNamespace(current=version), log, ["order"], Limits.read("limits", LIMITS | limits))


@pytest.fixture
def batcher(log):
    started = make_batcher(log)
    yield started
    started.close()


def make_rows(n_rows=1, **values):
    return lambda contract: rows_from_records(records(n_rows, **values), "records", contract, ["order"])


async def ask(batcher, rows, n_rows=1, disconnected=None):
    async def disconnect():
        await (disconnected or asyncio.Event()).wait()

    return await batcher.predict(PendingRequest(rows, n_rows, False), disconnect())


def test_the_time_is_logged_even_if_it_is_no_feature(batcher, log):
    asyncio.run(ask(batcher, make_rows(moment="2019-05-06T07:08:09", order=7)))
    logged = log.read()
    assert logged["event_time"].tolist() == [pd.Timestamp("2019-05-06T07:08:09")]
    assert logged["key"].tolist() == ["[7]"]


def test_requests_that_nobody_waits_for_are_neither_predicted_nor_logged(log):
    gate = Gate()
    model = GatedModel(fit_packaged("binary"), gate)
    batcher = make_batcher(log, model, seconds=1)

    async def send():
        slow = asyncio.create_task(ask(batcher, make_rows(order=1)))
        await asyncio.to_thread(gate.reached.wait)
        closed = asyncio.Event()
        leaving = asyncio.create_task(ask(batcher, make_rows(order=2), disconnected=closed))
        late = asyncio.create_task(ask(batcher, make_rows(order=3)))
        await asyncio.sleep(0)
        assert batcher.backlog.requests == 3
        closed.set()
        results = await asyncio.gather(slow, leaving, late, return_exceptions=True)
        assert [error.code for error in results] == ["timeout", "disconnected", "timeout"]
        assert batcher.backlog.requests == 0
        gate.open()
        return await ask(batcher, make_rows(order=4))

    answered = asyncio.run(send())
    batcher.close()
    assert model.batches == [1, 1]  # the first, which was being predicted when its time was up, and the last
    assert log.read()["id"].tolist() == answered.ids


def test_a_request_whose_time_is_up_while_it_is_stored_is_answered(log):
    gate = Gate()

    class GatedLog:
        def append_requests(self, requests):
            gate.wait()
            return log.append_requests(requests)

    batcher = make_batcher(GatedLog(), seconds=0.2)

    async def send():
        request = asyncio.create_task(ask(batcher, make_rows(order=1)))
        await asyncio.to_thread(gate.reached.wait)
        await asyncio.sleep(0.3)
        assert not request.done()
        gate.open()
        return await request

    answered = asyncio.run(send())
    batcher.close()
    assert log.read()["id"].tolist() == answered.ids


def test_of_a_batch_only_rows_that_can_be_stored_and_are_answered_are_logged(log):
    first, second = Gate(), Gate()
    model = GatedModel(fit_packaged("binary"), first)
    batcher = make_batcher(log, model, queue_seconds=60)  # slow batches do not get smaller
    share_batches(batcher)

    async def send():
        alone = asyncio.create_task(ask(batcher, make_rows(order=1)))
        await asyncio.to_thread(first.reached.wait)
        closed = asyncio.Event()
        leaving = asyncio.create_task(ask(batcher, make_rows(order=2), disconnected=closed))
        others = [asyncio.create_task(ask(batcher, make_rows(order=order))) for order in (3, "x" * 2000, 5)]
        await asyncio.sleep(0)
        model._gate = second
        first.open()
        await asyncio.to_thread(second.reached.wait)  # they are being predicted together
        closed.set()
        await asyncio.wait([leaving])
        second.open()
        return await asyncio.gather(leaving, alone, *others, return_exceptions=True)

    left, *answered, refused, last = asyncio.run(send())
    batcher.close()
    assert model.batches == [1, 4]
    assert (left.code, refused.code) == ("disconnected", "invalid_rows")
    assert set(log.read()["id"]) == {name for response in (*answered, last) for name in response.ids}


@pytest.mark.parametrize(
    ("limits", "admitted"),
    [
        ({"queue_requests": 3}, 3),
        ({"queue_rows": 9}, 4),  # 2 rows each
        ({"queue_seconds": 1e-9}, 1),
        ({}, 8),
    ],
)
def test_requests_beyond_a_limit_of_the_queue_are_refused_at_once_until_others_are_answered(log, limits, admitted):
    gate = Gate()
    gate.open()
    model = GatedModel(fit_packaged("binary"), gate)
    batcher = make_batcher(log, model, **limits)

    async def send():
        await ask(batcher, make_rows(2), 2)
        while batcher.paces.expected_seconds(2, False) == 0:  # it is recorded after the response
            await asyncio.sleep(0.01)
        model._gate = closed = Gate()
        first = asyncio.create_task(ask(batcher, make_rows(2), 2))
        await asyncio.to_thread(closed.reached.wait)
        others = [asyncio.create_task(ask(batcher, make_rows(2), 2)) for _ in range(7)]
        await asyncio.sleep(0.05)
        refused = [task.exception() for task in others if task.done()]  # while the first is still being predicted
        closed.open()
        results = await asyncio.gather(first, *others, return_exceptions=True)
        await ask(batcher, make_rows(2), 2)
        return refused, results

    refused, results = asyncio.run(send())
    batcher.close()
    assert len(refused) == 8 - admitted
    assert all((error.status, error.code, error.retry_after) == (503, "overloaded", 1) for error in refused)
    assert sum(isinstance(result, RequestError) for result in results) == 8 - admitted
    assert len(log.read()) == 2 * (admitted + 2)
    assert (batcher.backlog.requests, batcher.backlog.rows, batcher.backlog.seconds) == (0, 0, 0)


@pytest.mark.parametrize(("per_batch", "per_row", "largest"), [(0.2, 0, 512), (0, 0.2, 2), (0.002, 0.0001, 512)])
def test_batches_grow_as_long_as_that_pays(per_batch, per_row, largest):
    limits = Limits.read("limits", LIMITS | {"queue_seconds": 1})
    backlog, paces = Backlog(limits), Paces(limits)
    for _ in range(30):
        n_rows = paces.max_rows(False)
        paces.record(n_rows, False, per_batch + per_row * n_rows)
    assert largest / 2 <= paces.max_rows(False) <= largest
    assert paces.max_rows(True) == 1  # explained rows take another time
    with ExitStack() as admitted:
        while backlog.refusal() is None and backlog.requests < 900:
            admitted.enter_context(backlog.admit(1, paces.expected_seconds(1, False)))
        if per_row == 0.2:
            assert 3 <= backlog.requests <= 10  # about a second
        else:
            assert backlog.requests == 900  # rows that share a batch wait for it together


def test_the_thread_goes_on_after_an_error_of_any_type(batcher):
    def fail(contract):
        raise SystemExit("of a library")

    with pytest.raises(RequestError, match="internal error"):
        asyncio.run(ask(batcher, fail))
    assert len(asyncio.run(ask(batcher, make_rows())).ids) == 1
