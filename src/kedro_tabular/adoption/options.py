"""The options of `kedro adopt` that describe the table and its model."""

import difflib
from typing import NamedTuple

from ..contract import ContractError
from .names import model_name
from .source import Source


class Options(NamedTuple):
    """The roles of columns, the task, the estimator and the model's name, as given on the command line."""

    target: str
    time: str | None = None
    task: str | None = None
    ids: tuple[str, ...] = ()
    drop: tuple[str, ...] = ()
    estimator: str | None = None
    name: str | None = None
    by: str | None = None


def resolve_names(source: Source, options: Options) -> Options:
    """The options with the names that columns have in the table, which may differ from those in the file.

    The model's name is that of the file by default.

    Raises:
        ContractError: there is no such column, it can't have these roles at the same time, or the model can't have
            this name.
    """

    def resolve(name: str, option: str) -> str:
        new = source.read_options.rename.get(name, name)
        if new in source.raw:
            return new
        columns = [str(column) for column in source.raw.columns]
        similar = difflib.get_close_matches(name, columns, n=3, cutoff=0.5)
        hint = f"did you mean {' or '.join(map(repr, similar))}?" if similar else f"it has {', '.join(columns)}"
        raise ContractError(f"{source.path.name} has no column {name!r} ({option}); {hint}")

    target = resolve(options.target, "--target")
    time = resolve(options.time, "--time") if options.time else None
    ids = tuple(resolve(name, "--id") for name in options.ids)
    drop = tuple(resolve(name, "--drop") for name in options.drop)
    by = resolve(options.by, "--by") if options.by else None
    for name, option in ((target, "--target"), (time, "--time")):
        if name in (*ids, *drop):
            raise ContractError(f"{name!r} is the {option}: it can't be left out by --id or --drop")
    if target == time:
        raise ContractError(f"{target!r} can't be both the target and the time")
    name = options.name or model_name(source.path.name.partition(".")[0])
    if name != model_name(name):
        raise ContractError(
            f"{name!r} (--name) can't be the model's name, which takes lower-case letters, digits and underscores: "
            f"--name {model_name(name)}"
        )
    return options._replace(target=target, time=time, ids=ids, drop=drop, name=name, by=by)
