"""The table of many models: what is deployed of each, and what a person has to do."""

import json
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import click

from ..lineage import SHORT
from .terminal import format_age, make_console, make_table

if TYPE_CHECKING:
    from .. import registry

_WIDTH = 120  # at least
_POOLED = {"no clear difference": "unclear"}


def compared_metric(gate: Mapping[str, Any]) -> str:
    """The metric that the gate decides by."""
    return next((gate[rule]["metric"] for rule in ("champion", "trivial") if gate.get(rule)), "")


def print_overview(summaries: "Sequence[registry.ModelSummary]", metric: str, as_json: bool) -> None:
    """Print a row for each model."""
    if as_json:
        click.echo(json.dumps([summary.as_dict() for summary in summaries], indent=2))
        return
    columns = (metric, "Base", "Pooled", "Monitor", "Rows/day", "Chall.", "Newest", "Table")
    table = make_table("", "Model", "To do", "Champion", *columns)
    for one in summaries:
        age = "" if one.age is None else f", {format_age(one.age)}"
        table.add_row(
            one.model,
            one.todo,
            one.champion + age,
            *("" if value is None else f"{value:.4f}" for value in (one.metric, one.baseline)),
            _POOLED.get(one.pooled, one.pooled),
            one.monitoring,
            "" if one.rows_a_day is None else f"{one.rows_a_day:,.0f}",
            one.challenger,
            f"{one.newest} {one.verdict}".strip(),
            one.table[:SHORT],
            style="bold" if one.todo else "",
        )
    make_console(_WIDTH).print(table)
