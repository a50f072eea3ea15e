"""Change values in a YAML file and keep all other text, comments included.

ruamel.yaml's round trip drops the comment that follows a replaced block and realigns those beside replaced values.
"""

import re
from collections.abc import Mapping
from typing import Any

import yaml

from ..files import YAML_LOADER, load_yaml


def set_values(text: str, values: Mapping[tuple[str, ...], Any]) -> str:
    """The text with these values. A value that is there already keeps its notation.

    Raises:
        KeyError: a key's parent does not exist.
    """
    for path, value in values.items():
        if _get(load_yaml(text), path) != value:
            text = _set(text, path, value)
    return text


def _get(values: Any, path: tuple[str, ...]) -> Any:
    for key in path:
        if not isinstance(values, dict) or key not in values:
            return KeyError
        values = values[key]
    return values


def _set(text: str, path: tuple[str, ...], value: Any) -> str:
    *parents, name = path
    mapping = yaml.compose(text, YAML_LOADER)
    for key in parents:
        entry = _find(mapping, key)
        if entry is None:
            raise KeyError(".".join(path))
        mapping = entry[1]
    if not isinstance(mapping, yaml.MappingNode) or mapping.flow_style:  # in one line, or nothing, as in `table: null`
        siblings = _get(load_yaml(text), tuple(parents)) or {}
        return _set(text, tuple(parents), siblings | {name: value})
    lines, comment = text.splitlines(), ""
    first = last = _end(mapping)
    entry = _find(mapping, name)
    if entry is not None:
        first, last = entry[0].start_mark.line, _end(*entry)
        end = max(node.end_mark.column for node in entry if node.end_mark.line == first)
        is_filled = entry[1].tag == "tag:yaml.org,2002:null" and isinstance(value, dict)
        if not is_filled:  # else the comment, such as `none yet`, does not hold any more
            comment = "".join(re.findall(r"\s+#.*$", lines[first][end:]))
    indent = " " * mapping.value[0][0].start_mark.column
    return "\n".join([*lines[:first], *_dump(name, value, indent, comment), *lines[last:], ""])


def _find(mapping: yaml.Node | None, key: str) -> tuple[yaml.Node, yaml.Node] | None:
    entries = mapping.value if isinstance(mapping, yaml.MappingNode) else []
    return next((entry for entry in entries if entry[0].value == key), None)


def _end(*nodes: yaml.Node) -> int:
    """The line after the last one of these nodes, without comments that follow."""
    ends = []
    for node in nodes:
        if isinstance(node, yaml.CollectionNode) and not node.flow_style:
            last = node.value[-1]
            ends.append(_end(*last) if isinstance(last, tuple) else _end(last))
        else:
            ends.append(node.end_mark.line + (node.end_mark.column > 0))
    return max(ends)


def _dump(key: str, value: Any, indent: str, comment: str) -> list[str]:
    """The lines of an entry: one, or a block if it is a mapping of collections."""
    style: dict[str, Any] = {"sort_keys": False, "width": 10**6, "allow_unicode": True}
    name = yaml.safe_dump(key, **style).splitlines()[0]
    if isinstance(value, dict) and any(isinstance(inner, dict | list) for inner in value.values()):
        nested = yaml.safe_dump(value, default_flow_style=None, **style).splitlines()
        return [f"{indent}{name}:{comment}", *(f"{indent}  {line}" for line in nested)]
    return [f"{indent}{name}: {yaml.safe_dump(value, default_flow_style=True, **style).splitlines()[0]}{comment}"]
