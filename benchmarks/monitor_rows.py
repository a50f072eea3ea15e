"""What monitoring does with a Parquet file of scored rows, without the start of Kedro and MLflow."""
# ruff: noqa: T201

import sys
import time
from importlib import import_module
from pathlib import Path

import yaml

project, package = Path(sys.argv[1]), sys.argv[2]
nodes = import_module(f"{package}.pipelines.monitoring.nodes")
report = import_module(f"{package}.pipelines.monitoring.report")
scored = import_module(f"{package}.scored")
profiles = import_module(f"{package}.profile")


class OneProfile:
    """The profile of the only version."""

    def get(self, version: str) -> object:
        """It."""
        path = project / "data" / "06_models" / "profile.json"
        return profiles.Profile.model_validate_json(path.read_bytes())


def main() -> None:
    """Print the seconds from the files to the written report."""
    parameters: dict[str, object] = {}
    for path in sorted((project / "conf" / "base").glob("parameters*.yml")):
        parameters |= yaml.safe_load(path.read_text())
    table, monitoring = parameters["table"], parameters["monitoring"]
    started = time.perf_counter()
    path = project / "data" / "07_model_output" / "predictions.parquet"
    rows = scored.ScoredFile(path, "scheduled_departure", "model_version", "late")
    span = ("7d", "2013-11-01", "2014-01-01", None)
    observed = nodes.observe(rows, OneProfile(), table, *span, monitoring)
    told, _ = nodes.assess(observed, monitoring, parameters["alerts"], None, 0)
    (project / "monitoring.html").write_text(report.write_report(told, table, monitoring))
    assert told["verdict"] == "alert"
    print(time.perf_counter() - started)


main()
