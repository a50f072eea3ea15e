"""Tables in the terminal whose content can be copied whole."""

from rich.console import Console
from rich.table import Table


def make_console() -> Console:
    """A console of at least 150 columns: an md5 cut off to fit a narrow terminal is of no use."""
    return Console(width=max(Console().width, 150))


def make_table(title: str, *columns: str) -> Table:
    """A table that folds long values, all but an md5."""
    table = Table(title=title)
    for column in columns:
        table.add_column(column, overflow="fold", no_wrap=column == "md5")
    return table
