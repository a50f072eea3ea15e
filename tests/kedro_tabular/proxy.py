"""A proxy on loopback between clients and a real HTTP server, which delays, fails or cuts calls on command."""

import http.client
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import urlsplit

_ANSWERED = ("connection", "content-length", "date", "server", "transfer-encoding")  # headers that the proxy makes


class Proxy:
    """What happens to calls: all take `seconds` more, and `every` nth has a fault, `after` so many that have none."""

    def __init__(self, upstream: str) -> None:
        self.upstream = urlsplit(upstream)
        self._lock = threading.Lock()
        self.behave()

    def behave(self, fault: str | None = None, every: int = 1, after: int = 0, seconds: float = 0) -> None:
        """From now on. Faults: `error` (status 500), `down` (the connection is closed), `cut` (half of a file)."""
        with self._lock:
            self.fault, self.every, self.after, self.seconds, self.calls = fault, every, after, seconds, 0

    def next_fault(self) -> str | None:
        """The fault of the next call, after the delay."""
        with self._lock:
            self.calls += 1
            fails = self.calls > self.after and self.calls % self.every == 0
            fault, seconds = self.fault if fails else None, self.seconds
        time.sleep(seconds)
        return fault


@contextmanager
def proxy_of(upstream: str) -> Iterator[tuple[Proxy, str]]:
    """A proxy until the end of the block, and its address."""
    proxy = Proxy(upstream)
    server = ThreadingHTTPServer(("127.0.0.1", 0), type("Handler", (_Handler,), {"proxy": proxy}))
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield proxy, f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        server.server_close()


class _Handler(BaseHTTPRequestHandler):
    proxy: Proxy
    protocol_version = "HTTP/1.1"
    wbufsize = 1 << 16  # one packet for the head and a small body

    def _forward(self) -> None:
        body, fault = self._read_body(), self.proxy.next_fault()
        if fault == "down":
            self.close_connection = True
            return
        if fault == "error":
            self.send_response_only(500)
            self.send_header("Content-Length", "0")
            self.end_headers()
            return
        status, headers, content = self._ask(body)
        is_cut = fault == "cut" and "xml" not in dict(headers).get("Content-Type", "")  # not of a list of files
        self.send_response_only(status)
        for name, value in headers:
            if name.lower() not in _ANSWERED:
                self.send_header(name, value)
        length = dict(headers).get("Content-Length", "0") if self.command == "HEAD" else str(len(content))
        self.send_header("Content-Length", length)
        self.end_headers()
        self.wfile.write(content[: len(content) // 2] if is_cut else content)
        self.close_connection = self.close_connection or is_cut

    do_GET = do_HEAD = do_POST = do_PUT = do_PATCH = do_DELETE = _forward  # noqa: N815

    def _read_body(self) -> bytes:
        if "chunked" not in self.headers.get("transfer-encoding", ""):
            return self.rfile.read(int(self.headers.get("content-length", 0)))
        chunks = []
        while size := int(self.rfile.readline().partition(b";")[0], 16):
            chunks.append(self.rfile.read(size))
            self.rfile.readline()
        self.rfile.readline()
        return b"".join(chunks)

    def _ask(self, body: bytes) -> tuple[int, list[tuple[str, str]], bytes]:
        connection = http.client.HTTPConnection(str(self.proxy.upstream.hostname), self.proxy.upstream.port, timeout=60)
        connection.putrequest(self.command, self.path, skip_host=True, skip_accept_encoding=True)
        for name, value in self.headers.items():
            if name.lower() not in ("connection", "content-length", "expect", "transfer-encoding"):
                connection.putheader(name, value)
        connection.putheader("Content-Length", str(len(body)))
        connection.endheaders(body)
        response = connection.getresponse()
        answer = response.status, response.getheaders(), response.read()
        connection.close()
        return answer

    def log_message(self, *message: object) -> None:
        """Nothing."""
