"""Fitted objects on disk: skops files whose bytes depend on nothing but the object.

Skops stores data, not code to run: loading builds only types that are known or listed as trusted
(https://skops.readthedocs.io/en/stable/persistence.html). Its files name their parts by memory address and
carry time stamps, so two dumps of one model differ; here parts are numbered and stamps fixed, which makes
the md5 of a file the identity of what is in it.
"""

import io
import json
from collections.abc import Iterator, Sequence
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any
from zipfile import ZipFile, ZipInfo

from skops import io as skops_io

from ..files import write_atomically

_LIBRARY = __name__.partition(".")[0] + ".*"
_SCHEMA = "schema.json"


class UntrustedTypeError(TypeError):
    """An object is made of types that are not listed as trusted."""


def dump(fitted: Any, path: Path, trusted: Sequence[str]) -> None:
    """Store a fitted object so that `load` with the same `trusted` can read it.

    Raises:
        UntrustedTypeError: the object holds types that are not in `trusted`; nothing is written.
    """
    data = skops_io.dumps(fitted)
    _resolve_trust(skops_io.get_untrusted_types(data=data), trusted)
    write_atomically(path, _canonical(data))


def load(path: Path, trusted: Sequence[str]) -> Any:
    """Read a fitted object. Raises UntrustedTypeError before building a type not in `trusted`."""
    data = path.read_bytes()
    return skops_io.loads(data, trusted=_resolve_trust(skops_io.get_untrusted_types(data=data), trusted))


def types_in(path: Path) -> list[str]:
    """Names of the types that a stored object is made of, beyond those that skops knows; nothing is built."""
    return list(skops_io.get_untrusted_types(data=path.read_bytes()))


def _resolve_trust(found: list[str], trusted: Sequence[str]) -> list[str]:
    patterns = [_LIBRARY, *trusted]  # the library's own types run as code anyway
    refused = [name for name in found if not any(fnmatchcase(name, pattern) for pattern in patterns)]
    if refused:
        raise UntrustedTypeError(
            f"the types {refused} are not trusted. If you trust the library they come from, "
            "add them to trusted_types in conf/base/parameters.yml"
        )
    return found


def _canonical(data: bytes) -> bytes:
    with ZipFile(io.BytesIO(data)) as source:
        schema = json.loads(source.read(_SCHEMA))
        files = {name: source.read(name) for name in source.namelist() if name != _SCHEMA}
    numbers: dict[Any, int] = {}
    ordered: dict[str, bytes] = {}
    for node in _nodes(schema):
        if "__id__" in node:
            if node.get("__loader__") == "JsonNode":
                # Whether two equal constants share an address is up to the interpreter.
                del node["__id__"]
            else:
                node["__id__"] = numbers.setdefault(node["__id__"], len(numbers) + 1)
        if node.get("file") in files:
            content = files[node["file"]]
            node["file"] = f"{node['__id__']}{Path(node['file']).suffix}"
            ordered[node["file"]] = content
    ordered[_SCHEMA] = json.dumps(schema, separators=(",", ":")).encode()
    target = io.BytesIO()
    with ZipFile(target, "w") as archive:
        for name, content in ordered.items():
            archive.writestr(ZipInfo(name), content)  # ZipInfo's default date is 1980-01-01
    return target.getvalue()


def _nodes(tree: Any) -> Iterator[dict[str, Any]]:
    if isinstance(tree, dict):
        yield tree
        for child in list(tree.values()):
            yield from _nodes(child)
    elif isinstance(tree, list):
        for child in tree:
            yield from _nodes(child)
