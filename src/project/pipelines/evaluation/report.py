"""The evaluation report: one HTML file that needs no other."""

import base64
from collections.abc import Callable
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader

from ...contract import Contract
from .metrics import Metrics

_DUMMY = "dummy_"


def write_report(
    metrics: Metrics,
    plots: dict[str, Callable[[], str]],
    importance_plot: str,
    data_versions: dict[str, str],
    contract: dict[str, Any],
    **parameters: Any,
) -> str:
    """Metrics, plots, data versions and parameters as HTML. It holds no time stamp: same inputs, same bytes.

    Args:
        metrics: of the model, and of the dummy under `dummy_<name>`.
        plots: by name, what loads the SVG text (as Kedro hands out a partitioned dataset).
        importance_plot: SVG text.
        data_versions: md5 by file name.
        contract: `params:table`.
        parameters: further sections of the parameters by name.
    """
    read = Contract.from_parameters(contract)
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent), autoescape=True, trim_blocks=True, lstrip_blocks=True
    )
    drawn = {name: load() for name, load in plots.items()} | {"permutation_importance": importance_plot}
    return environment.get_template("report.html.j2").render(
        contract=read,
        metrics={
            name: (value, metrics.get(_DUMMY + name))
            for name, value in metrics.items()
            if not name.startswith(_DUMMY)
        },
        plots={_title(name): _data_uri(svg) for name, svg in drawn.items()},
        data_versions=data_versions,
        parameters=_flatten(parameters),
    )


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
