"""What an error of the database is about, without the values of rows that its message may contain."""

import logging

import sqlalchemy as sa

from ...files import describe_full_disk, is_disk_full
from ..errors import RequestError

logger = logging.getLogger(__name__)

# classes of SQLSTATE: invalid data, broken constraint, limit exceeded (a row that is too large for an index)
_ROW_CLASSES = ("22", "23", "54")
_ROW_ERRORS = (sa.exc.IntegrityError, sa.exc.DataError, UnicodeError, OverflowError, TypeError, ValueError)


def is_row_error(error: Exception) -> bool:
    """Whether the database refused rows for what they contain, and would accept others."""
    if isinstance(error, _ROW_ERRORS):
        return True
    if not isinstance(error, sa.exc.DBAPIError):
        return isinstance(error, sa.exc.StatementError)  # a value that could not be sent
    return str(getattr(error.orig, "sqlstate", None) or "")[:2] in _ROW_CLASSES


def describe(error: Exception) -> str:
    """Which disk is full; or else the type and the first line: PostgreSQL quotes rows in the lines that follow."""
    cause = getattr(error, "orig", None) or error
    if is_disk_full(cause):
        return describe_full_disk(cause)
    if isinstance(cause, UnicodeError | OverflowError | TypeError | ValueError):
        return type(cause).__name__  # Python's messages contain the value
    return f"{type(cause).__name__}: {str(cause).partition(chr(10))[0]}"


def log_error(error: Exception, what: str) -> RequestError:
    """The response to a request whose predictions or outcomes can't be stored; the cause is logged."""
    if is_row_error(error):
        logger.error("the prediction log refused %s: %s", what, describe(error))
        return RequestError(422, "not_storable", f"the {what} contain values that can't be stored, so none is", "body")
    logger.error("the prediction log is not writable: %s", describe(error))
    consequence = ", so they are not returned" if what == "predictions" else ""
    return RequestError(503, "log_unavailable", f"the {what} can't be stored{consequence}; try again later")
