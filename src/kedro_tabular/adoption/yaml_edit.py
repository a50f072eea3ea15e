"""Change values in a YAML file and leave all else in it, comments included, as it is.

Text and not a library's round trip: that moves or loses the comments around what is replaced.
"""

import re
from collections.abc import Mapping
from typing import Any

import yaml


def set_values(text: str, values: Mapping[tuple[str, ...], Any]) -> str:
    """The text with these values. Those that it has already stay in the form that they are written in.

    Raises:
        KeyError: a key's parent is not there.
    """
    for path, value in values.items():
        if _get(yaml.safe_load(text), path) != value:
            text = _set(text, path, value)
    return text


def _get(read: Any, path: tuple[str, ...]) -> Any:
    for key in path:
        if not isinstance(read, dict) or key not in read:
            return KeyError
        read = read[key]
    return read


def _set(text: str, path: tuple[str, ...], value: Any) -> str:
    lines = text.splitlines()
    first, last, indent = 0, len(lines), ""
    for depth, key in enumerate(path):
        at = next((n for n in range(first, last) if re.match(rf"{indent}{re.escape(key)}:(\s|$)", lines[n])), None)
        if at is None and depth < len(path) - 1:
            raise KeyError(".".join(path))
        if at is None:
            return "\n".join([*lines[:last], *_dump(key, value, indent, ""), *lines[last:], ""])
        first, last = at + 1, _end(lines, at)
        if depth < len(path) - 1:
            inside = [line for line in lines[first:last] if line.strip() and not line.lstrip().startswith("#")]
            if not inside:  # nothing as yet, such as `table: null`; a comment on that goes with it
                lines[first - 1] = f"{indent}{key}:"
            indent = inside[0][: -len(inside[0].lstrip())] if inside else f"{indent}  "
    comment = re.search(r"  #.*$", lines[first - 1])
    made = _dump(path[-1], value, indent, comment[0] if comment else "")
    return "\n".join([*lines[: first - 1], *made, *lines[last:], ""])


def _end(lines: list[str], at: int) -> int:
    """The line after the last one that belongs to the key in a line."""
    depth = len(lines[at]) - len(lines[at].lstrip())
    last = at + 1
    for number in range(at + 1, len(lines)):
        if not lines[number].strip():
            continue
        if len(lines[number]) - len(lines[number].lstrip()) <= depth:
            break
        last = number + 1
    return last


def _dump(key: str, value: Any, indent: str, comment: str) -> list[str]:
    how: dict[str, Any] = {"sort_keys": False, "width": 10**6, "allow_unicode": True}
    name = yaml.safe_dump(key, **how).splitlines()[0]
    inner = value.values() if isinstance(value, dict) else ()
    if any(isinstance(one, dict | list) for one in inner):
        nested = yaml.safe_dump(value, default_flow_style=None, **how).splitlines()
        return [f"{indent}{name}:{comment}", *(f"{indent}  {line}" for line in nested)]
    flat = yaml.safe_dump(value, default_flow_style=True, **how).splitlines()[0]
    return [f"{indent}{name}: {flat}{comment}"]
