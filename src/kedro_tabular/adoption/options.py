"""What the user says on the command line about a table."""

import difflib
from typing import NamedTuple

from ..contract import ContractError
from .source import Source


class Options(NamedTuple):
    """What the user said."""

    target: str
    time: str | None = None
    task: str | None = None
    ids: tuple[str, ...] = ()
    drop: tuple[str, ...] = ()


def in_names_of_the_table(source: Source, options: Options) -> Options:
    """The options with each column by its name in the table, which may not be that in the file."""

    def known(name: str, option: str) -> str:
        new = source.reading.rename.get(name, name)
        if new in source.raw:
            return new
        columns = [str(column) for column in source.raw.columns]
        near = difflib.get_close_matches(name, columns, n=3, cutoff=0.5)
        told = f"did you mean {' or '.join(map(repr, near))}?" if near else f"it has {', '.join(columns)}"
        raise ContractError(f"{source.path.name} has no column {name!r} ({option}); {told}")

    target = known(options.target, "--target")
    time = known(options.time, "--time") if options.time else None
    ids = tuple(known(name, "--id") for name in options.ids)
    drop = tuple(known(name, "--drop") for name in options.drop)
    for name, option in ((target, "--target"), *([(time, "--time")] if time else [])):
        if name in (*ids, *drop):
            raise ContractError(f"{name!r} can't be left out: it is the {option}")
    if target == time:
        raise ContractError(f"{target!r} can't be both the target and the time")
    return options._replace(target=target, time=time, ids=ids, drop=drop)
