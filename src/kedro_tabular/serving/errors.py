"""Error responses: a status, a code for programs, a message for people, the wrong field and what is expected there."""

from collections.abc import Sequence
from typing import Any


class RequestError(Exception):
    """A request that fails. The message must not contain paths or names of this machine."""

    def __init__(self, status: int, code: str, message: str, field: str | None = None, expected: Any = None) -> None:
        super().__init__(message)
        self.status, self.code = status, code
        self.field, self.expected = field, expected

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


def too_many_rows(max_rows: int) -> RequestError:
    """The error for a request with more rows than allowed."""
    return RequestError(413, "too_many_rows", f"more than {max_rows} rows", "body", f"{max_rows} rows or less")


INTERNAL_ERROR = RequestError(500, "internal_error", "internal error; see the log of the service")
