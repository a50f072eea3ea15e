"""Fields of requests that are no column: most often a misspelt name, whose value the model would not see."""

from collections.abc import Collection
from difflib import get_close_matches
from functools import lru_cache
from typing import NamedTuple

from .errors import RequestError

_MAX_NAMED = 10  # in a response; the others are counted only
_MAX_LENGTH = 60  # of a name in a response
_SIMILAR = 0.7  # of difflib's ratio


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


def find_unknown_fields(fields: Collection[str], known: Collection[str]) -> UnknownFields | None:
    """The fields that are not known; None if there are none."""
    unknown = list(dict.fromkeys(fields).keys() - set(known))
    if not unknown:
        return None
    order = {name: position for position, name in enumerate(fields)}
    names = [name[:_MAX_LENGTH] for name in sorted(unknown, key=order.__getitem__)[:_MAX_NAMED]]
    return UnknownFields({name: _find_near(name, tuple(known)) for name in names}, len(unknown) - len(names))


@lru_cache(maxsize=1024)  # a client sends the same fields with every request
def _find_near(name: str, known: tuple[str, ...]) -> str | None:
    """The known name that is most similar, whatever its case and punctuation."""
    simplified = {_simplify(candidate): candidate for candidate in reversed(known)}
    matches = get_close_matches(_simplify(name), list(simplified), n=1, cutoff=_SIMILAR)
    return simplified[matches[0]] if matches else None


def _simplify(name: str) -> str:
    return "".join(filter(str.isalnum, name.casefold()))
