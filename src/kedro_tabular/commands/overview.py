"""The table of many models: what is deployed of each, and what a person has to do."""

import json
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import click

from ..lineage import SHORT
from .terminal import format_age, make_console, make_table

if TYPE_CHECKING:
    from .. import registry


def compared_metric(gate: Mapping[str, Any]) -> str:
    """The metric that the gate decides by."""
    return next((gate[rule]["metric"] for rule in ("champion", "trivial") if gate.get(rule)), "")


def print_overview(summaries: "Sequence[registry.ModelSummary]", metric: str, as_json: bool) -> None:
    """Print a row for each model."""
    if as_json:
        click.echo(json.dumps([summary.as_dict() for summary in summaries], indent=2))
        return
    table = make_table(
        "", "Model", "To do", "Champion", "Age", metric, "Baseline", "Table", "Challenger", "Newest", "Verdict"
    )
    for summary in summaries:
        table.add_row(
            summary.model,
            summary.todo,
            summary.champion,
            "" if summary.age is None else format_age(summary.age),
            *("" if value is None else f"{value:.4f}" for value in (summary.metric, summary.baseline)),
            summary.table[:SHORT],
            summary.challenger,
            summary.newest,
            summary.verdict,
            style="bold" if summary.todo else "",
        )
    make_console().print(table)
