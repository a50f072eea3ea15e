"""Loads fitted objects from skops files, which hold data and not code.

Only types that skops knows or that are listed as trusted are built
(https://skops.readthedocs.io/en/stable/persistence.html). Importing skops imports all of scikit-learn, which takes a
second, so only what loads an object imports it.
"""

from collections.abc import Sequence
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

_LIBRARY = __name__.partition(".")[0] + ".*"


class UntrustedTypeError(TypeError):
    """An object contains types that are not listed as trusted."""


def load(path: Path, trusted: Sequence[str]) -> Any:
    """Load a fitted object. Raises UntrustedTypeError before a type that is not in `trusted` is built."""
    from skops.io import loads

    data = path.read_bytes()
    return loads(data, trusted=check_trusted(data, trusted))


def check_trusted(data: bytes, trusted: Sequence[str]) -> list[str]:
    """The types in a skops file that skops does not know. Raises UntrustedTypeError if one is not in `trusted`."""
    from skops.io import get_untrusted_types

    types = get_untrusted_types(data=data)
    patterns = [_LIBRARY, *trusted]  # code of the library runs anyway
    untrusted = [name for name in types if not any(fnmatchcase(name, pattern) for pattern in patterns)]
    if untrusted:
        raise UntrustedTypeError(
            f"the types {untrusted} are not trusted. If you trust the library that defines them, "
            "add them to trusted_types in conf/base/parameters.yml"
        )
    return list(types)
