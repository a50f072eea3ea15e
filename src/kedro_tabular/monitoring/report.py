"""The report of a window: one HTML file that needs no other, to be read from the top down."""

from collections import Counter
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader

from ..contract import Contract
from .drawing import draw_bars, draw_over_time

_INTERVAL = 1.96  # standard errors
_GROUPS = {"input": "Inputs", "output": "Answers", "outcome": "Outcomes"}


def write_report(monitoring: dict[str, Any], contract: dict[str, Any], settings: dict[str, Any]) -> str:
    """The verdict, what moved, how sure that is and what to do, then the plots.

    Args:
        monitoring: the verdict, as `assess` gives it.
        contract: `params:table`.
        settings: `params:monitoring`.
    """
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent), autoescape=True, trim_blocks=True, lstrip_blocks=True
    )
    environment.filters["fixed"] = lambda value: "" if value is None else f"{value:.4f}"
    environment.filters["percent"] = lambda value: "" if value is None else f"{value:.1%}"
    environment.filters["count"] = lambda value: f"{value:,}"
    first = {finding["check"]: finding for finding in reversed(monitoring["findings"])}
    counts = Counter(finding["check"] for finding in monitoring["findings"])
    environment.globals |= {"bars": draw_bars, "over_time": draw_over_time}
    return environment.get_template("report.html.j2").render(
        contract=Contract.from_parameters(contract),
        settings=settings,
        interval=_INTERVAL,
        groups=_GROUPS,
        first=[(first[check], count - 1) for check, count in counts.items()],
        **monitoring,
    )
