"""The report of a trained model: one HTML file that needs no other."""

import base64
from collections.abc import Callable
from pathlib import Path
from typing import Any

from ..contract import Contract
from ..evaluation import BASELINE, Metrics, render
from .rules import Comparison

_TEMPLATE = Path(__file__).with_name("report.html.j2")


def write_report(
    gate: dict[str, Any],
    comparison: Comparison,
    metrics: Metrics,
    plots: dict[str, Callable[[], str]],
    importance_plot: str,
    guard_assessment: dict[str, Any],
    guard_plot: str,
    data_versions: dict[str, str],
    contract: dict[str, Any],
    **parameters: Any,
) -> str:
    """The verdict, challenger beside champion, plots, data and parameters as HTML, without a time stamp.

    Args:
        gate: the verdict, as `judge` gives it.
        comparison: the numbers of both models.
        metrics: of the model, and of the dummy under `dummy_<name>`.
        plots: by name, what loads the SVG text (as Kedro hands out a partitioned dataset).
        importance_plot: SVG text.
        guard_assessment: as `assess_guard` gives it.
        guard_plot: SVG text.
        data_versions: md5 by file name.
        contract: `params:table`.
        parameters: further sections of the parameters by name.
    """
    read = Contract.from_parameters(contract)
    drawn = {name: load() for name, load in plots.items()} | {"permutation_importance": importance_plot}
    return render(
        _TEMPLATE,
        contract=read,
        gate=gate,
        becomes=_becomes(gate),
        comparison=comparison,
        scored=comparison.champion is not None and comparison.problem is None,
        slices=sorted(comparison.slices, key=lambda part: (part.gain or 0, part.challenger or 0)),
        failed=[rule["rule"] for rule in gate["rules"] if not rule["passed"]],
        calibration=_data_uri(comparison.calibration),
        guard=guard_assessment,
        guard_plot=_data_uri(guard_plot),
        dummy={name.removeprefix(BASELINE): value for name, value in metrics.items() if name.startswith(BASELINE)},
        plots={_title(name): _data_uri(svg) for name, svg in drawn.items()},
        data_versions=data_versions,
        parameters=_flatten(parameters),
    )


def _becomes(gate: dict[str, Any]) -> str:
    if gate["verdict"] == "refused":
        return "It is registered, but not deployed."
    return "It becomes champion." if gate["promote"] == "auto" else "It waits as challenger: kedro promote."


def _title(name: str) -> str:
    return name.replace("_", " ").capitalize().replace("Roc", "ROC")


def _data_uri(svg: str) -> str:
    # An image of its own: inlined as markup, the ids of one plot would meet those of the next.
    return "data:image/svg+xml;base64," + base64.b64encode(svg.encode()).decode()


def _flatten(values: dict[str, Any], prefix: str = "") -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for key, value in values.items():
        name = f"{prefix}{key}"
        flat |= _flatten(value, f"{name}.") if isinstance(value, dict) and value else {name: value}
    return flat
