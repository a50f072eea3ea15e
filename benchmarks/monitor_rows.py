"""What monitoring does with a Parquet file of scored rows, without the start of Kedro and MLflow."""
# ruff: noqa: T201

import sys
import time
from pathlib import Path
from typing import Any

import yaml
from kedro_tabular.monitoring import assess, observe, write_report
from kedro_tabular.monitoring.profile import Profile
from kedro_tabular.monitoring.scored_rows import ScoredFile

project = Path(sys.argv[1])


def load_profile(version: str) -> Profile:
    """The profile of the only version."""
    return Profile.model_validate_json((project / "data" / "06_models" / "profile.json").read_bytes())


def main() -> None:
    """Print the seconds from the files to the written report."""
    parameters: dict[str, Any] = {}
    for path in sorted((project / "conf" / "base").glob("parameters*.yml")):
        parameters |= yaml.safe_load(path.read_text(encoding="utf-8"))
    table, monitoring = parameters["table"], parameters["monitoring"]
    started = time.perf_counter()
    path = project / "data" / "07_model_output" / "predictions.parquet"
    rows = ScoredFile(path, "scheduled_departure", "model_version", "late")
    span = ("7d", "2013-11-01", "2014-01-01", None)
    observed = observe(rows, load_profile, table, *span, monitoring)
    verdict, _ = assess(observed, monitoring, parameters["alerts"], None, 0)
    (project / "monitoring.html").write_text(write_report(verdict, table, monitoring), encoding="utf-8")
    assert verdict["verdict"] == "alert"
    print(time.perf_counter() - started)


main()
