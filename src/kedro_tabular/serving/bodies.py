"""Decodes bodies beside other requests, and looks for fields that are not known."""

from collections.abc import Callable
from typing import Any, TypeVar

from anyio import CapacityLimiter, to_thread
from fastapi import Request

Parsed = TypeVar("Parsed")

# What takes less is done at once, in less time than a change of threads; other requests wait for it.
_SMALL_BODY = 16_384  # bytes of JSON


class BodyParser:
    """Decodes large bodies in a thread, one after the other, lest their memory adds up."""

    def __init__(self) -> None:
        self._limiter = CapacityLimiter(1)

    async def parse(self, parse: Callable[..., Parsed], body: bytes, *arguments: Any, is_json: bool = True) -> Parsed:
        """What a function makes of a body."""
        if is_json and len(body) < _SMALL_BODY:
            return parse(body, *arguments)
        return await to_thread.run_sync(parse, body, *arguments, limiter=self._limiter)


async def disconnect(request: Request) -> None:
    """Return when the client has closed the connection of a request whose body is read."""
    while (await request.receive())["type"] != "http.disconnect":
        pass
