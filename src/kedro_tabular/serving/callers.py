"""What a caller says about itself: the name of its API key, and its own ids of a request and of the rows."""

import re
from collections.abc import Iterable
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from ..contract import Contract
from .errors import RequestError
from .parsing import RECORD_ID, logged_columns

_MAX_LENGTH = 128
_ID = re.compile(rf"[!-~]{{1,{_MAX_LENGTH}}}")  # ASCII without spaces
_EXPECTED = f"1 to {_MAX_LENGTH} printable ASCII characters without spaces"


class Caller(NamedTuple):
    """The caller of one request."""

    api_key: str | None = None  # its name
    request_id: str | None = None  # the header X-Request-Id
    record_ids: list[str | None] | None = None  # of the rows


ANONYMOUS = Caller()


def check_request_id(header: bytes) -> str:
    """The header X-Request-Id. Raises RequestError if it is too long or has other characters."""
    text = header.decode("latin-1")
    if not _ID.fullmatch(text):
        raise RequestError(422, "invalid_id", "the header X-Request-Id is not valid", "x-request-id", _EXPECTED)
    return text


def read_record_ids(values: Iterable[Any] | None, contract: Contract, keys: list[str]) -> list[str | None] | None:
    """The values of the field `id` as the caller's ids, unless it is a column of the contract or a key column.

    Raises:
        RequestError: an id is neither text nor an integer, or it is too long or has other characters.
    """
    if values is None or RECORD_ID in logged_columns(contract, keys):
        return None
    plain = values if isinstance(values, list) else np.asarray(values, dtype=object)
    return [_check_record_id(value, position) for position, value in enumerate(plain)]


def _check_record_id(value: Any, position: int) -> str | None:
    if value is None or value is pd.NA or value != value:
        return None
    if isinstance(value, float) and value.is_integer():  # a column of integers with missing values
        value = int(value)
    is_integer = isinstance(value, int) and not isinstance(value, bool) and abs(value) < 10**_MAX_LENGTH
    text = str(value) if is_integer else value
    if not (isinstance(text, str) and _ID.fullmatch(text)):
        message = f"the id of row {position} is not valid"
        raise RequestError(422, "invalid_id", message, f"records[{position}].{RECORD_ID}", _EXPECTED)
    return text
