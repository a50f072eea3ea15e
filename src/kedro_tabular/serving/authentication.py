"""API keys, each with a name: from an environment variable, and from a file that is read again when it changes."""

import hashlib
import hmac
import ipaddress
import logging
import os
import re
import time
from collections.abc import Mapping
from pathlib import Path

from ..parameters import ParameterError
from .settings import ServingSettings

logger = logging.getLogger(__name__)

_NAME = re.compile(r"[A-Za-z0-9._-]{1,64}")
_DIGEST = re.compile(r"sha256:([0-9a-f]{64})")
_SECONDS = 1.0  # between two looks at the file
_Stamp = tuple[int, int, int]


class ApiKeys:
    """The keys that requests may carry, as SHA-256 digests by name; the file is optional.

    Raises:
        ParameterError: the environment variable is empty, or the file can't be read.
    """

    def __init__(self, variable: str, file: Path | None = None, environment: Mapping[str, str] | None = None) -> None:
        key = (os.environ if environment is None else environment).get(variable)
        if key is not None and not key.strip():
            raise ParameterError(f"the environment variable {variable} is empty: give it a key, or unset it")
        self._own = {} if key is None else {variable: _digest(key.encode())}
        self._file, self._stamp, self._checked = file, None if file is None else _stamp(file), time.monotonic()
        self._digests = self._own if file is None else self._own | _read(file)

    @property
    def required(self) -> bool:
        """Whether requests must carry a key: a file without keys refuses all of them."""
        return self._file is not None or bool(self._digests)

    def find_name(self, authorization: bytes) -> str | None:
        """The name of the key in an `Authorization` header; None if there is none or it is unknown.

        The time that this takes does not depend on the key.
        """
        self._refresh()
        scheme, _, key = authorization.partition(b" ")
        digest, found = _digest(key), None
        for name, known in self._digests.items():
            if hmac.compare_digest(digest, known):
                found = name
        return found if scheme.lower() == b"bearer" else None

    def _refresh(self) -> None:
        """Read the file again if it has changed; while it can't be read, the earlier keys stay."""
        if self._file is None or time.monotonic() - self._checked < _SECONDS:
            return
        self._checked = time.monotonic()
        stamp = _stamp(self._file)
        if stamp == self._stamp:
            return
        self._stamp = stamp
        try:
            self._digests = self._own | _read(self._file)
        except ParameterError as error:
            logger.error("the earlier API keys stay: %s", error)
        else:
            logger.info("the API keys are read again: %s", ", ".join(self._digests) or "none")


def read_api_keys(settings: ServingSettings) -> ApiKeys:
    """The keys of the settings.

    Raises:
        ParameterError: the keys can't be read; or there are none, and other machines reach the service.
    """
    file = settings.api_keys_file
    keys = ApiKeys(settings.api_key_variable, None if file is None else Path(file))
    if not (keys.required or settings.allow_unauthenticated or _is_loopback(settings.host)):
        raise ParameterError(
            f"serving.host {settings.host} can be reached from other machines, and there is no API key. Set the"
            f" environment variable {settings.api_key_variable} or serving.api_keys_file; or, if everyone may request"
            " predictions, set serving.allow_unauthenticated: true"
        )
    return keys


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _digest(key: bytes) -> bytes:
    return hashlib.sha256(key).digest()


def _stamp(file: Path) -> _Stamp | None:
    """What changes with the file; None if it can't be read."""
    try:
        status = file.stat()
    except OSError:
        return None
    return status.st_mtime_ns, status.st_size, status.st_ino


def _read(file: Path) -> dict[str, bytes]:
    """The digests by name. Raises ParameterError; its message does not contain keys."""
    try:
        lines = file.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeError) as error:
        raise ParameterError(f"serving.api_keys_file {file} can't be read: {type(error).__name__}") from None
    digests: dict[str, bytes] = {}
    for number, line in enumerate(lines, start=1):
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        name, _, key = (part.strip() for part in line.partition(":"))
        if not _NAME.fullmatch(name) or not key or name in digests:
            expected = "`name: key` or `name: sha256:DIGEST`, each name once, of up to 64 letters, digits, . _ or -"
            raise ParameterError(f"serving.api_keys_file {file}, line {number}: expected {expected}")
        match = _DIGEST.fullmatch(key)
        if match is None and key.startswith("sha256:"):
            raise ParameterError(f"serving.api_keys_file {file}, line {number}: a digest has 64 hexadecimal digits")
        digests[name] = bytes.fromhex(match[1]) if match else _digest(key.encode())
    return digests
