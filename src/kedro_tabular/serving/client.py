"""The service from the other side: what a program sends to it."""

from typing import Any

import requests

from .log.records import as_json


class RefusedError(Exception):
    """A request that the server has not taken; the message is what it said."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


class Client:
    """A server that is asked again and again over one connection.

    Args:
        url: where it is.
        api_key: what it wants to see; None for nothing.
        seconds: how long an answer is waited for.
    """

    def __init__(self, url: str, api_key: str | None, seconds: float) -> None:
        self._url, self._seconds = url.rstrip("/"), seconds
        self._session = requests.Session()
        self._headers: dict[str, str | bytes] = {"content-type": "application/json"}
        if api_key:
            self._headers["authorization"] = f"Bearer {api_key}".encode()

    def post(self, path: str, body: dict[str, Any]) -> dict[str, Any]:
        """What the server answers to a body.

        Raises:
            RefusedError: it answers with an error.
            requests.RequestException: it gives no answer, or one that is not JSON.
        """
        response = self._session.post(self._url + path, as_json(body), headers=self._headers, timeout=self._seconds)
        if not response.ok:
            raise RefusedError(response.status_code, _message(response))
        answered: dict[str, Any] = response.json()
        return answered


def _message(response: requests.Response) -> str:
    try:
        return str(response.json()["error"]["message"])
    except (ValueError, LookupError, TypeError):  # not from this service
        return f"{response.status_code} {response.reason}"
