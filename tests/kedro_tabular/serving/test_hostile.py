"""A thousand of the hostile requests of the benchmark."""

import asyncio

import pytest

from .conftest import records


@pytest.mark.slow
def test_hostile_requests_get_documented_errors_and_no_row_is_lost(service):
    from hostile_client import attack
    from hostile_requests import HostileRequests

    requests = HostileRequests(records(50), seed=1, large=1_100_000).make(1000)
    results = asyncio.run(attack(service.server.url, requests, clients=8))
    logged = service.logged()
    figures = results.compare(zip(logged["id"], logged["request_id"], strict=True))
    assert results.breaches == []
    assert figures["answered"] > 100
    assert {200, 400, 404, 405, 413, 415, 422} <= {status for _, status in results.statuses}
