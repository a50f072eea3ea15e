"""The report of a window: one HTML file that needs no other, to be read from the top down."""

from collections import Counter
from pathlib import Path
from typing import Any

from ..contract import Contract
from ..evaluation import render
from .drawing import draw_bars, draw_over_time

_TEMPLATE = Path(__file__).with_name("report.html.j2")
_INTERVAL = 1.96  # standard errors
_GROUPS = {"input": "Inputs", "output": "Answers", "outcome": "Outcomes"}


def write_report(monitoring: dict[str, Any], contract: dict[str, Any], settings: dict[str, Any]) -> str:
    """The verdict, what moved, how sure that is and what to do, then the plots.

    Args:
        monitoring: the verdict, as `assess` gives it.
        contract: `params:table`.
        settings: `params:monitoring`.
    """
    first = {finding["check"]: finding for finding in reversed(monitoring["findings"])}
    counts = Counter(finding["check"] for finding in monitoring["findings"])
    return render(
        _TEMPLATE,
        bars=draw_bars,
        over_time_plot=draw_over_time,
        contract=Contract.from_parameters(contract),
        settings=settings,
        interval=_INTERVAL,
        groups=_GROUPS,
        first=[(first[check], count - 1) for check, count in counts.items()],
        **monitoring,
    )
