"""Rows of the table as live traffic: answered, monitored with their outcomes, seen in the notebook."""

import json
from collections import Counter

import nbformat
import pandas as pd
import pytest
import requests
from jupyter_client import AsyncKernelManager
from kedro_tabular.serving.log.prediction_log import PredictionLog
from nbclient import NotebookClient

from ..conftest import ROOT
from ..processes import serving
from .conftest import records

NOTEBOOK = ROOT / "notebooks" / "01_explore.ipynb"
AT_ONCE = 1000


def send(url, own, table):
    """Rows and then their outcomes, where no time says in which order they go."""
    for first in range(0, len(table), AT_ONCE):
        some = table.iloc[first : first + AT_ONCE]
        asked = records(some.drop(columns=own.contract.target))
        told = requests.post(f"{url}/predict", json={"records": asked}, timeout=60)
        outcomes = [
            {"id": answer["id"], "outcome": outcome}
            for answer, outcome in zip(told.json()["predictions"], some[own.contract.target].tolist(), strict=True)
        ]
        stored = requests.post(f"{url}/outcomes", json={"outcomes": outcomes}, timeout=60).json()
        assert stored == {"stored": len(some), "without_prediction": 0}


@pytest.fixture(scope="module")
def answered(own):
    """The rows that the service has answered; live ones with a time by `kedro replay`."""
    table, live = own.unseen(), own.load("live_table")
    with serving(own.folder) as (_, url):
        if own.contract.time and len(live):
            printed = own.run("replay", "--url", url, "--outcomes-after", "0h")
            assert f"{len(live):,} rows predicted: {len(live):,} by version 1" in printed
            assert f"{len(live):,} outcomes sent, 0 not known by the end" in printed
        else:
            send(url, own, table)
    return table


@pytest.fixture(scope="module")
def monitored(own, answered):
    """The verdict on these rows."""
    params = ["monitoring.min_rows=2"]  # however few there are
    if own.contract.time:
        times = answered[own.contract.time]
        params += [f"since={times.min():%Y-%m-%d}", f"until={times.max() + pd.Timedelta(days=1):%Y-%m-%d}"]
    own.run("run", "--pipeline=monitoring", f"--params={','.join(params)}")
    return json.loads((own.folder / "data/08_reporting/monitoring.json").read_text())


def test_each_answer_is_in_the_log_with_what_was_asked_and_what_came_of_it(own, answered):
    log = PredictionLog(f"sqlite:///{own.folder}/data/07_model_output/prediction_log.db")
    logged = log.read()
    log.close()
    asked = logged[[f"input.{name}" for name in own.contract.features]]
    answers = own.model.predict(asked.rename(columns=lambda name: name.removeprefix("input.")))
    assert logged["prediction"].tolist() == answers["prediction"].tolist()
    said = own.model.predict(answered)["prediction"]
    expected = Counter(zip(said, answered[own.contract.target], strict=True))
    assert Counter(zip(logged["prediction"], logged["outcome"], strict=True)) == expected


def test_the_rows_are_judged_with_their_outcomes(own, answered, monitored):
    assert monitored["verdict"] in ("ok", "alert")
    assert list(monitored["versions"]) == ["1"]
    seen = monitored["versions"]["1"]
    assert seen["rows"] == seen["outcomes"] == len(answered)
    assert seen["measured"] is None or seen["metric"] == own.parameters["profile"]["metric"]
    watched = {column["name"] for column in seen["columns"]}
    assert {*own.contract.of_type("number"), *own.contract.of_type("category")} <= watched
    assert "<svg" in (own.folder / "data/08_reporting/monitoring.html").read_text()
    tags = own.client.get_model_version(own.contract.name, "1").tags
    assert tags["monitoring.verdict"] == monitored["verdict"]
    assert own.client.get_run(tags["monitoring.run"]).info.status == "FINISHED"


def test_all_cells_of_the_notebook_run_from_its_folder(own, monitored, tmp_path, monkeypatch):
    notebook = nbformat.read(NOTEBOOK, as_version=4)
    (own.folder / "notebooks").mkdir()
    monkeypatch.setenv("PYTHONPATH", str(own.folder / "src"))
    # the kernel is spoken to through files, not through ports
    kernel = AsyncKernelManager(transport="ipc", ip=str(tmp_path / "kernel"), kernel_name="python3")
    place = {"metadata": {"path": str(own.folder / "notebooks")}}
    NotebookClient(notebook, km=kernel, timeout=300, resources=place).execute()
    printed = {
        cell.id: "".join(output.get("text", "") for output in cell.outputs)
        for cell in notebook.cells
        if cell.cell_type == "code"
    }
    assert f"{own.contract.name} version 1" in printed["champion"]
    assert printed["verdict"].startswith(monitored["verdict"])
    plots = [output for cell in notebook.cells for output in cell.get("outputs", []) if "data" in output]
    assert sum("image/png" in output["data"] for output in plots) >= 4
    assert list((own.folder / "notebooks").iterdir()) == []  # no store of its own beside the notebook


def test_outputs_are_not_kept_in_git():
    notebook = nbformat.read(NOTEBOOK, as_version=4)
    nbformat.validate(notebook)
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    assert [cell.id for cell in code if cell.outputs or cell.execution_count] == []
