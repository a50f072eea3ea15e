"""Connections of clients that are slow, greedy or no HTTP clients at all."""

import asyncio
import json
import socket
import threading
import time
from contextlib import closing, contextmanager, suppress

import pytest
import uvicorn
from kedro_tabular.serving.backlog import HeldBytes
from kedro_tabular.serving.connections import STATE, ConnectionState, connection_options
from kedro_tabular.serving.metrics import ServiceMetrics

from .conftest import Server, records
from .test_requests import error_of

HEAD = b"POST /predict HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"


@pytest.fixture
def serve(service):
    """Starts servers of the same model with other limits."""
    started = []

    def serve(**limits):
        changed = service.settings.limits.model_copy(update=limits)
        started.append(Server(service.settings.model_copy(update={"limits": changed}), service.deployment))
        return started[-1]

    yield serve
    for server in started:
        server.stop()


@contextmanager
def connect(server, *sent, **options):
    with closing(socket.socket()) as connection:
        for name, value in options.items():
            connection.setsockopt(socket.SOL_SOCKET, getattr(socket, name), value)
        connection.connect(("127.0.0.1", int(server.url.rsplit(":", 1)[1])))
        connection.settimeout(20)
        for data in sent:
            connection.sendall(data)
        yield connection


def read_all(connection):
    """The statuses and bodies of the responses until the server closes the connection."""
    received = b""
    try:
        while data := connection.recv(65_536):
            received += data
    except ConnectionResetError:
        pass
    responses = []
    while received:
        head, _, received = received.partition(b"\r\n\r\n")
        length = int(head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0])
        responses.append((int(head.split()[1]), json.loads(received[:length])))
        received = received[length:]
    return responses


def predict(n_rows=1):
    body = json.dumps({"records": records(n_rows)}).encode()
    return HEAD + b"Content-Length: %d\r\n\r\n" % len(body) + body


def metric(server, name):
    lines = [line for line in server.get("/metrics").text.splitlines() if line.startswith(f"{name} ")]
    return float(lines[0].rsplit(" ", 1)[1]) if lines else 0.0


def wait_for(condition, seconds=20):
    until = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < until
        time.sleep(0.02)


@pytest.mark.parametrize(
    "data", [b"\x16\x03\x01\x02\x00\r\n", HEAD + b"Content-Length: abc\r\n\r\n", b"GET /\xc3\xa9 HTTP/1.1\r\n\r\n"]
)
def test_what_is_no_http_is_an_error_in_json(service, data):
    with connect(service.server, data) as connection:
        ((status, body),) = read_all(connection)
    assert (status, body["error"]["code"]) == (400, "invalid_http")


def test_requests_before_one_that_is_no_http_are_answered(service):
    with connect(service.server, predict() + b"\x00 garbage\r\n\r\n") as connection:
        ((status, body),) = read_all(connection)
    assert status == 200
    assert body["predictions"][0]["id"] in set(service.logged()["id"])


@pytest.mark.parametrize("junk", ["endless header", "many headers", "long address", "trailers"])
def test_headers_are_limited(service, junk):
    parts = {
        "endless header": [HEAD + b"X-Long: ", *[b"x" * 10_000] * 80],
        "many headers": [HEAD, *[b"X-Header: %s\r\n" % (b"x" * 1000)] * 200],
        "long address": [b"GET /", *[b"x" * 10_000] * 80],
        "trailers": [HEAD + b"Transfer-Encoding: chunked\r\n\r\n0\r\n", *[b"X-Header: %s\r\n" % (b"x" * 1000)] * 200],
    }
    with connect(service.server) as connection:
        try:
            for part in parts[junk]:
                connection.sendall(part)
        except (BrokenPipeError, ConnectionResetError):
            return  # closed while it was sent
        ((status, body),) = read_all(connection)
    assert (status, body["error"]["code"]) == (431, "head_too_large")


def test_requests_that_are_sent_without_waiting_for_responses_are_limited(service):
    with connect(service.server, b"GET /health HTTP/1.1\r\nHost: x\r\n\r\n" * 20_000) as connection:
        responses = read_all(connection)
    assert len(responses) < 200
    assert {status for status, _ in responses} <= {200, 400}


def test_a_client_that_does_not_send_its_request_is_disconnected(serve):
    server = serve(client_seconds=0.3)
    with connect(server) as silent, connect(server, b"GET /hea") as slow:
        assert read_all(silent) == read_all(slow) == []


def test_a_body_that_takes_too_long_is_refused(serve):
    server = serve(client_seconds=0.3)
    with connect(server, HEAD + b'Content-Length: 1000\r\n\r\n{"rec') as connection:
        ((status, body),) = read_all(connection)
    assert (status, body["error"]["code"]) == (408, "body_timeout")
    assert metric(server, "held_bytes") == 0


def test_bodies_that_are_received_at_the_same_time_are_limited_in_total(serve):
    server = serve(held_mb=1.2)
    half = HEAD + b"Content-Length: 800000\r\n\r\n" + b" " * 500_000
    with connect(server, half), connect(server, half):
        wait_for(lambda: metric(server, "held_bytes") == 1_000_000)
        assert server.post("/predict", {"records": records(1)}).status_code == 200
        response = server.post("/predict", {"records": records(1), "more": " " * 400_000})
        assert error_of(response, 503)["code"] == "overloaded"
        assert response.headers["retry-after"] == "1"
    wait_for(lambda: metric(server, "held_bytes") == 0)
    assert server.post("/predict", {"records": records(1), "more": " " * 400_000}).status_code == 200


def test_a_single_body_is_never_too_much(serve):
    server = serve(held_mb=0.1)
    assert server.post("/predict", {"records": records(1), "more": " " * 400_000}).status_code == 200


def test_responses_that_are_not_taken_are_counted_and_end(serve):
    server = serve(client_seconds=1)
    large = "/static-offline-docs/swagger-ui-bundle.js"
    size = len(server.get(large).content)
    sent = 20 * f"GET {large} HTTP/1.1\r\nHost: x\r\n\r\n".encode()  # more than the buffers of the system take
    with connect(server, sent, SO_RCVBUF=4096) as connection:
        wait_for(lambda: metric(server, "held_bytes") > 0)
        wait_for(lambda: metric(server, "held_bytes") == 0)
        received = 0
        with suppress(ConnectionResetError):
            while data := connection.recv(65_536):
                received += len(data)
        assert received < 20 * size


def test_a_client_that_hangs_up_within_its_body_is_no_internal_error(service, caplog):
    before = metric(service.server, 'errors_total{code="disconnected",model="small"}')
    with connect(service.server, HEAD + b'Content-Length: 1000\r\n\r\n{"rec'):
        pass
    wait_for(lambda: metric(service.server, 'errors_total{code="disconnected",model="small"}') == before + 1)
    assert 'code="internal_error"' not in service.server.get("/metrics").text
    assert "Traceback" not in caplog.text


class SlowApp:
    """An ASGI application that keeps the event loop busy during each request."""

    async def __call__(self, scope, receive, send):
        if scope["type"] == "lifespan":
            await receive()
            scope["state"][STATE] = ConnectionState(30, HeldBytes(1_000_000), ServiceMetrics())
            await send({"type": "lifespan.startup.complete"})
            await receive()
            await send({"type": "lifespan.shutdown.complete"})
            return
        time.sleep(0.02)
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"0")]})
        await send({"type": "http.response.body"})


def test_new_clients_are_accepted_while_others_keep_the_service_busy():
    server = uvicorn.Server(
        uvicorn.Config(SlowApp(), port=0, log_config=None, access_log=False, **connection_options())
    )
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    while not server.started:
        time.sleep(0.01)
    address = server.servers[0].sockets[0].getsockname()
    answered = {"busy": 0, "new": 0}

    async def ask(kind, times):
        reader, writer = await asyncio.open_connection(*address)
        for _ in range(times):
            writer.write(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
            await reader.readuntil(b"\r\n\r\n")
            answered[kind] += 1
        writer.close()

    async def run():
        busy = [asyncio.ensure_future(ask("busy", 1000)) for _ in range(4)]
        while answered["busy"] < 4:
            await asyncio.sleep(0.01)
        before = answered["busy"]
        await asyncio.gather(*(ask("new", 1) for _ in range(15)))
        for task in busy:
            task.cancel()
        return answered["busy"] - before

    try:
        rounds = asyncio.run(run()) / 4
    finally:
        server.should_exit = True
        thread.join()
    assert answered["new"] == 15
    assert rounds < 8, "a new connection waits for a round of those that are connected, not for one each"
