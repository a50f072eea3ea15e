"""Stores fitted objects as skops files whose bytes depend only on the object.

skops names the parts of an object by memory address and adds time stamps, so two files of one object differ. Here parts
are numbered and time stamps fixed: the md5 of a file then identifies the object.
"""

import io
import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any
from zipfile import ZipFile, ZipInfo

from ..files import write_atomically
from .loading import UntrustedTypeError, check_trusted, load

__all__ = ["UntrustedTypeError", "dump", "load", "types_in"]

_SCHEMA = "schema.json"


def dump(fitted: Any, path: Path, trusted: Sequence[str]) -> None:
    """Store a fitted object that `load` can read with the same `trusted`.

    Raises UntrustedTypeError, and writes nothing, if the object contains types that are not in `trusted`.
    """
    from skops.io import dumps

    data = dumps(fitted)
    check_trusted(data, trusted)
    write_atomically(path, _canonical(data))


def types_in(path: Path) -> list[str]:
    """Names of the types in a stored object that skops does not know; nothing is built."""
    from skops.io import get_untrusted_types

    return list(get_untrusted_types(data=path.read_bytes()))


def _canonical(data: bytes) -> bytes:
    with ZipFile(io.BytesIO(data)) as source:
        schema = json.loads(source.read(_SCHEMA))
        files = {name: source.read(name) for name in source.namelist() if name != _SCHEMA}
    numbers: dict[Any, int] = {}
    ordered: dict[str, bytes] = {}
    for node in _nodes(schema):
        if "__id__" in node:
            if node.get("__loader__") == "JsonNode":
                # the interpreter decides whether equal constants share an address
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
