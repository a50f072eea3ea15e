"""HTTP clients that ask for one row again and again, and what it took."""

import asyncio
import time
from urllib.parse import urlsplit


async def _ask(url: str, body: bytes, until: float, most: int, seconds: list[float]) -> None:
    address = urlsplit(url)
    reader, writer = await asyncio.open_connection(address.hostname, address.port)
    head = f"POST {address.path} HTTP/1.1\r\nHost: {address.netloc}\r\nContent-Type: application/json\r\n"
    request = f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body
    while time.perf_counter() < until and len(seconds) < most:
        started = time.perf_counter()
        writer.write(request)
        answer = await reader.readuntil(b"\r\n\r\n")
        length = next(int(line.split(b":")[1]) for line in answer.lower().splitlines() if b"content-length" in line)
        await reader.readexactly(length)
        if not answer.startswith(b"HTTP/1.1 200"):
            raise RuntimeError(f"{url} answered {answer.splitlines()[0].decode()}")
        seconds.append(time.perf_counter() - started)
    writer.close()


async def _all(url: str, body: bytes, clients: int, duration: float, most: int) -> list[float]:
    seconds: list[float] = []
    until = time.perf_counter() + duration
    await asyncio.gather(*(_ask(url, body, until, most, seconds) for _ in range(clients)))
    return seconds


def measure_load(url: str, body: bytes, clients: int, duration: float, most: int) -> tuple[list[float], float]:
    """Seconds of each request of some clients at once, each asking again when it is answered; and in all.

    Args:
        url: what to ask.
        body: JSON.
        clients: how many at once.
        duration: after which no more is asked, in seconds.
        most: requests after which no more is asked.
    """
    started = time.perf_counter()
    seconds = asyncio.run(_all(url, body, clients, duration, most))
    return seconds, time.perf_counter() - started
