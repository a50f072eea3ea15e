"""Error responses: a status, a code for programs, a message for people, the wrong field and what is expected there."""

from collections.abc import Sequence
from typing import Any


class RequestError(Exception):
    """A request that fails. The message must not contain paths or names of this machine.

    `retry_after` are the seconds after which the same request may succeed.
    """

    def __init__(
        self,
        status: int,
        code: str,
        message: str,
        field: str | None = None,
        expected: Any = None,
        retry_after: int | None = None,
    ) -> None:
        super().__init__(message)
        self.status, self.code = status, code
        self.field, self.expected = field, expected
        self.retry_after = retry_after

    def to_json(self) -> dict[str, Any]:
        """The body of the response."""
        fields = {"code": self.code, "message": str(self), "field": self.field, "expected": self.expected}
        return {"error": {name: value for name, value in fields.items() if value is not None}}


def invalid_body(message: str, field: str, expected: Any) -> RequestError:
    """The error for a body of the wrong structure."""
    return RequestError(422, "invalid_body", message, field, expected)


def validation_error(code: str, errors: Sequence[Any]) -> RequestError:
    """The first of the errors that pydantic reports."""
    field = ".".join(str(part) for part in errors[0]["loc"])
    return RequestError(422, code, f"{field}: {errors[0]['msg']}", field)


def too_many(what: str, most: int) -> RequestError:
    """The error for a request with more rows, columns or cells than allowed."""
    return RequestError(413, f"too_many_{what}", f"more than {most} {what}", "body", f"{most} {what} or less")


def overloaded(retry_after: int) -> RequestError:
    """The error for a request that can't be admitted now, but in so many seconds."""
    return RequestError(503, "overloaded", "too many requests at once; try again later", retry_after=retry_after)


def timeout() -> RequestError:
    """The error for a request that could not be predicted in time."""
    return RequestError(503, "timeout", "timeout of the prediction; send fewer rows in one request")


def disconnected() -> RequestError:
    """The error for a request whose client has closed the connection; it is only counted, nobody reads it."""
    return RequestError(499, "disconnected", "the client has closed the connection")  # the status as in nginx


INTERNAL_ERROR = RequestError(500, "internal_error", "internal error; see the log of the service")
