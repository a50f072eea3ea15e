"""The monitoring of a million logged rows, and beside Evidently's drift report. Run with `make bench`.

Evidently gets an environment of its own, since it needs an older pandas; making it needs a package index.
"""
# ruff: noqa: T201

import json
import os
import statistics
import subprocess
import sys
import urllib.request
import venv
from pathlib import Path
from tempfile import TemporaryDirectory

import pandas as pd
import yaml
from run import PAIRS, ROOT, copy_project, measure
from serving import running

LOGGED, AT_ONCE, COMPARED = 1_000_000, 10_000, 100_000
EVIDENTLY = ["evidently==0.7.23", "pandas<3", "pyarrow"]
SPAN = "since=2013-11-01,until=2014-01-01"


def fill_log(kedro: str, project: Path, rows: pd.DataFrame) -> None:
    """Let the service answer the rows again and again, until its log has a million of them."""
    drawn = [rows.sample(AT_ONCE, random_state=number) for number in range(5)]
    bodies = [
        f'{{"records": {part.to_json(orient="records", date_format="iso", date_unit="s")}}}'.encode() for part in drawn
    ]
    with running([kedro, "serve"], project, "/ready") as (url, _):
        for number in range(LOGGED // AT_ONCE):
            body = bodies[number % len(bodies)]
            headers = {"Content-Type": "application/json"}
            urllib.request.urlopen(urllib.request.Request(url + "/predict", body, headers), timeout=60).close()


def score_table(kedro: str, project: Path, live: pd.DataFrame) -> None:
    """Score as many rows as are compared into a Parquet file, and let monitoring look at that."""
    copies = -(-COMPARED // len(live))
    table = pd.concat([live] * copies, ignore_index=True).head(COMPARED)
    table.to_parquet(project / "data" / "compared.parquet", index=False)
    base, local = project / "conf" / "base", project / "conf" / "local"
    entry = yaml.safe_load((base / "catalog.yml").read_text())["inference_table"]
    scored = {"filepath": "data/07_model_output/predictions.parquet", "time": "scheduled_departure"}
    scored |= {"type": "kedro_tabular.monitoring.ScoredFileDataset", "target": "late"}
    catalog = {"inference_table": entry | {"filepath": "data/compared.parquet"}, "scored_rows": scored}
    (local / "catalog.yml").write_text(yaml.safe_dump(catalog))
    (local / "parameters.yml").write_text(yaml.safe_dump({"inference": {"keep": list(live.columns)}}))
    measure([kedro, "run", "--pipeline=inference"], project)


def make_environment(folder: Path) -> str:
    """An environment with Evidently; its interpreter."""
    venv.create(folder, with_pip=True)
    python = str(folder / "bin" / "python")
    subprocess.run([python, "-m", "pip", "install", "--quiet", *EVIDENTLY], check=True)
    return python


def report_seconds(command: list[str]) -> float:
    """What a script prints last: the seconds of its report, without its imports."""
    printed = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    return float(json.loads(printed.splitlines()[-1]))


def main() -> None:
    """Print what monitoring the log takes, and the comparison."""
    binaries = Path(sys.executable).parent
    os.environ["PATH"] = f"{binaries}{os.pathsep}{os.environ['PATH']}"
    kedro = str(binaries / "kedro")
    with TemporaryDirectory() as temporary, TemporaryDirectory() as environment:
        project = copy_project(Path(temporary))
        os.environ["PYTHONPATH"] = str(project / "src")
        measure([kedro, "run", "--pipeline=train"], project)
        live = pd.read_parquet(project / "data/03_primary/live.parquet")
        fill_log(kedro, project, live.drop(columns="late"))
        monitoring = [kedro, "run", "--pipeline=monitoring", f"--params={SPAN}"]
        costs = [measure(monitoring, project) for _ in range(PAIRS + 1)][1:]
        seconds = statistics.median(cost.seconds for cost in costs)
        mebibytes = statistics.median(cost.mebibytes for cost in costs)
        print(f"kedro run --pipeline=monitoring, {LOGGED:,} logged rows: {seconds:.1f} s, {mebibytes:.0f} MiB")
        score_table(kedro, project, live)
        ours = [sys.executable, str(ROOT / "benchmarks" / "monitor_rows.py"), str(project)]
        python = make_environment(Path(environment))
        theirs = [python, str(ROOT / "benchmarks" / "evidently_drift.py"), str(project)]
        pairs = [(report_seconds(ours), report_seconds(theirs)) for _ in range(PAIRS + 1)][1:]
        first, second = (statistics.median(side) for side in zip(*pairs, strict=True))
        ratio = statistics.median(a / b for a, b in pairs)
        print(f"{COMPARED:,} rows : Evidently's drift report {first:>8.2f} {second:>8.2f} s {ratio:>8.2f}")


if __name__ == "__main__":
    main()
