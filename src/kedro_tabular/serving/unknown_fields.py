"""Fields of requests that are no column: most often a misspelt name, whose value the model would not see."""

from collections.abc import Collection, Sequence
from difflib import get_close_matches
from functools import lru_cache
from typing import Any, NamedTuple

from .errors import RequestError, invalid_body

_MAX_NAMED = 10  # in a response; the others are counted only
_MAX_LENGTH = 60  # of a name in a response
_SIMILAR = 0.7  # of difflib's ratio


class Fields(NamedTuple):
    """The names in one kind of object of a request, and those that are read there."""

    names: Collection[str]
    known: Collection[str]


class UnknownFields(NamedTuple):
    """The unknown fields of a request, each with the known one of a similar name, or None."""

    near: dict[str, str | None]  # of the first fields, in the order of the request
    more: int  # others

    def describe(self) -> list[dict[str, str | None]]:
        """As the response has them."""
        return [{"field": name, "near": near} for name, near in self.near.items()]

    def to_error(self) -> RequestError:
        """The response where they are refused."""
        texts = [f"{name!r}" + (f" (is it {near!r}?)" if near else "") for name, near in self.near.items()]
        message = f"unknown fields: {', '.join(texts)}" + (f" and {self.more} more" if self.more else "")
        first, near = next(iter(self.near.items()))
        return RequestError(422, "unknown_fields", message, first, near)


def find_unknown_fields(*objects: Fields) -> UnknownFields | None:
    """The fields that are not known; None if there are none."""
    unknown: list[tuple[str, tuple[str, ...]]] = []
    for names, known in objects:
        read, candidates = set(known), tuple(known)
        unknown += [(name, candidates) for name in dict.fromkeys(names) if name not in read]
    if not unknown:
        return None
    named = [(name[:_MAX_LENGTH], candidates) for name, candidates in unknown[:_MAX_NAMED]]
    near = {name: _find_near(name, candidates) for name, candidates in named}
    return UnknownFields(near, len(unknown) - len(named))


def check_present(body: dict[str, Any], known: Sequence[str], message: str) -> None:
    """Raises RequestError with the message if a body has none of the fields, and names one that may be misspelt."""
    if body.keys() & set(known):
        return
    unknown = find_unknown_fields(Fields(body, known))
    near = {} if unknown is None else {name: field for name, field in unknown.near.items() if field is not None}
    for name, field in near.items():
        raise invalid_body(f"{message}: is {name!r} meant to be {field!r}?", name, field)
    raise invalid_body(message, known[0] if len(known) == 1 else "body", list(known))


@lru_cache(maxsize=1024)  # a client sends the same fields with every request
def _find_near(name: str, known: tuple[str, ...]) -> str | None:
    """The known name that is most similar, whatever its case and punctuation."""
    simplified = {_simplify(candidate): candidate for candidate in reversed(known)}
    matches = get_close_matches(_simplify(name), list(simplified), n=1, cutoff=_SIMILAR)
    return simplified[matches[0]] if matches else None


def _simplify(name: str) -> str:
    return "".join(filter(str.isalnum, name.casefold()))
