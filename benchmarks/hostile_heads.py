"""Addresses, methods, headers and other parts of HTTP that a service does not expect."""

OTHERS = [
    "/",
    "//",
    "/predict/",
    "/PREDICT",
    "/predict%00",
    "/%ff%fe",
    "/../../etc/passwd",
    "/static-offline-docs/../app.py",
]
OTHERS += [
    "/static-offline-docs/%2e%2e/%2e%2e/x",
    "/favicon.ico",
    "/" + "a" * 8000,
    "/?" + "a=b&" * 2000,
    "*",
    "/openapi.json/x",
]
OTHERS += [
    "http://other/health",
    "/static-offline-docs/%00",
    "/static-offline-docs/" + "a" * 300,
    "/docs/oauth2-redirect",
    "/é",
    "",
]
METHODS = ["GET", "POST", "PUT", "DELETE", "PATCH", "OPTIONS", "HEAD", "TRACE", "CONNECT", "PROPFIND", "get", "FOO"]
QUERIES = [
    "?explain=true",
    "?explain=maybe",
    "?explain=",
    "?explain=1&explain=2",
    "?x=%ff%00",
    "?" + "x" * 5000,
    "?explain=\x01",
]
HEADERS = [b"X-Request-Id: a b", b"X-Request-Id: \x01\x02", b"X-Request-Id: " + b"x" * 129, b"X-Request-Id: \xff\xfe"]
HEADERS += [
    b"X-Request-Id:",
    b"X-Request-Id: same",
    b"X-Request-Id: same\r\nX-Request-Id: other",
    b"Host: \xff",
    b": 1",
    b"Authorization: Bearer",
    b"Authorization: \xff",
    b"Authorization: Basic " + b"a" * 60_000,
    b"X\x00: 1",
    b"X Y: 1",
    b"Expect: 100-continue",
    b"Expect: something",
    b"Cookie: " + b"c=d; " * 3000,
    b"Connection: upgrade\r\nUpgrade: h2c",
    b"Connection: upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Key: eA==\r\nSec-WebSocket-Version: 13",
    b"X: \x00",
    b"Content-Encoding: gzip",
    b"Content-Type: text/csv",
    b"Range: bytes=0-1",
    b"Accept: text/html",
    b" folded: 1",
]
HEADERS += [b"\r\n".join(b"X-%d: %d" % (i, i) for i in range(2000)), b"X-Long: " + b"x" * 300_000, b"TE: trailers"]
HEADERS += [b"X-Forwarded-For: 1.2.3.4", b"Origin: null", b"Trailer: X", b"If-None-Match: *"]
GARBAGE = [
    b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
    b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    b"GET /\r\n\r\n",
    b"\x00" * 100,
    b"GET / HTTP/9.9\r\n\r\n",
    b"GET / HTTP/1.1\nHost: x\n\n",
    b"\r\n" * 50,
    b"POST /predict HTTP/1.1\r\n\r\n{}",
    b"x" * 70_000,
]


LENGTHS = ["-1", "100000000", "1" + "0" * 30, "abc", "0x10", "", "{0}, {0}", "+{0}"]  # of bodies
SIZES = [
    b"zz\r\n",
    b"-1\r\n",
    b"f" * 18 + b"\r\n",
    b"5;" + b"x" * 9000 + b"\r\n",
    b"\r\n",
    b"3\r\nabcdef\r\n",
]  # of chunks
