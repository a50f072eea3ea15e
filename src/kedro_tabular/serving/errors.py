"""What a client is told when a request can't be answered: a code, the field, and what was expected of it."""

from collections.abc import Sequence
from typing import Any


class RequestError(Exception):
    """A request that is refused.

    Args:
        status: of HTTP.
        code: for machines.
        message: for people; it names nothing of this machine.
        field: where in the request.
        expected: what it should have been.
    """

    def __init__(self, status: int, code: str, message: str, field: str | None = None, expected: Any = None) -> None:
        super().__init__(message)
        self.status, self.code = status, code
        self.field, self.expected = field, expected

    def body(self) -> dict[str, Any]:
        """The JSON that is sent."""
        told = {"code": self.code, "message": str(self), "field": self.field, "expected": self.expected}
        return {"error": {name: value for name, value in told.items() if value is not None}}


def from_validation(code: str, errors: Sequence[Any]) -> RequestError:
    """The first of the errors that pydantic found, as an error of the request."""
    field = ".".join(str(part) for part in errors[0]["loc"])
    return RequestError(422, code, f"{field}: {errors[0]['msg']}", field)


def too_many_rows(n_rows: int, most: int) -> RequestError:
    """The error for a request of more rows than it may have."""
    return RequestError(413, "too_many_rows", f"{n_rows} rows are too many", "body", f"{most} rows or less")


FAILED = RequestError(500, "internal_error", "the service failed; its own log says how")
