"""The report of a trained model: a single HTML file."""

import base64
from collections.abc import Callable
from pathlib import Path
from typing import Any

from ..contract import Contract
from ..evaluation import BASELINE, Metrics, render
from ..parameters import flatten
from ..registry import no_alias_reason
from .comparison import Comparison

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
    decision_assessment: dict[str, Any] | None = None,
    **parameters: Any,
) -> str:
    """Verdict, comparison, guard, plots, data and parameters as HTML, the same bytes for the same inputs.

    Args:
        gate: the verdict, as returned by `apply_rules`.
        metrics: of the model, and of the baseline under `dummy_<name>`.
        plots: by name a function that loads the SVG text, as Kedro's partitioned dataset returns them.
        guard_assessment: as returned by `assess_guard`.
        data_versions: md5 by file name.
        decision_assessment: as returned by `assess_decision`.
        parameters: further sections of the parameters by name; `packaging` says whether a version is registered.
    """
    figures = {name: load() for name, load in plots.items()} | {"permutation_importance": importance_plot}
    return render(
        _TEMPLATE,
        contract=Contract.from_parameters(contract),
        gate=gate,
        deployment=_deployment(gate, parameters.get("packaging", {}).get("register", True)),
        comparison=comparison,
        compared=comparison.champion is not None and comparison.problem is None,
        slices=sorted(comparison.slices, key=lambda part: (part.gain or 0, part.challenger or 0)),
        failed=[rule["rule"] for rule in gate["rules"] if not rule["passed"]],
        calibration=_data_uri(comparison.calibration),
        decision=decision_assessment or {"levels": []},
        guard=guard_assessment,
        guard_plot=_data_uri(guard_plot),
        baseline={name.removeprefix(BASELINE): value for name, value in metrics.items() if name.startswith(BASELINE)},
        plots={_title(name): _data_uri(svg) for name, svg in figures.items()},
        data_versions=data_versions,
        parameters=flatten(parameters),
    )


def _deployment(gate: dict[str, Any], registered: bool) -> str:
    if not registered:
        return "This version is not registered, because packaging.register is false."
    if gate["verdict"] == "refused":
        return "This version is registered, but not deployed."
    reason = no_alias_reason(gate["promote"])
    if reason:
        return f"This version is registered, but gets no alias, because {reason}. Run kedro promote to deploy it."
    if gate["promote"] == "manual":
        return "This version becomes the challenger. Run kedro promote to deploy it."
    champion = gate.get("champion")
    return "This version becomes the champion" + (f", if version {champion} still is by then." if champion else ".")


def _title(name: str) -> str:
    return name.replace("_", " ").capitalize().replace("Roc", "ROC")


def _data_uri(svg: str) -> str:
    # As inline markup, the element ids of several plots would collide.
    return "data:image/svg+xml;base64," + base64.b64encode(svg.encode()).decode()
