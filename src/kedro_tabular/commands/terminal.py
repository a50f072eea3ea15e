"""Options, errors and tables that several commands have in common."""

from collections.abc import Iterator
from contextlib import contextmanager

import click
from rich.console import Console
from rich.table import Table

MODEL = click.option("--model", metavar="NAME", help="A registered model; by default the one of conf/.")
JSON = click.option("--json", "as_json", is_flag=True, help="Print JSON instead of text.")


@contextmanager
def reported(*errors: type[Exception]) -> Iterator[None]:
    """End the command with the message of these errors, without a traceback."""
    try:
        yield
    except errors as error:
        raise click.ClickException(str(error)) from error


def make_console(width: int = 150) -> Console:
    """A console of at least so many columns: a truncated md5 can't be copied."""
    return Console(width=max(Console().width, width))


def make_table(title: str, *columns: str) -> Table:
    """A table that folds long values, except an md5."""
    table = Table(title=title)
    for column in columns:
        table.add_column(column, overflow="fold", no_wrap=column == "md5")
    return table


def format_age(days: float) -> str:
    """Days, hours or minutes."""
    if days >= 1:
        return f"{days:.0f} d"
    return f"{days * 24:.0f} h" if days * 24 >= 1 else f"{days * 1440:.0f} min"
