"""From the table to a registered version, which can be loaded anywhere, and to what is refused."""

import hashlib
import json
import os
import subprocess
import sys

import mlflow
import pandas as pd
import pytest
import yaml
from kedro_tabular.contract.reasons import RowReasons
from kedro_tabular.contract.rows import check_rows, to_columns
from kedro_tabular.contract.schema import TableValidator, build_schema
from kedro_tabular.lineage import provenance as lineage
from kedro_tabular.modelling import make_signature

from ..conftest import run_kedro
from .conftest import RAW

# Loads a version with nothing of the project at hand, and answers the rows it is given.
CLIENT = """
import sys, mlflow, pandas as pd
store, model, rows, answers = sys.argv[1:]
mlflow.set_tracking_uri(store)
mlflow.pyfunc.load_model(model).predict(pd.read_parquet(rows)).to_parquet(answers)
# not the installed project, but the code that is archived with the version
assert "mlartifacts" in sys.modules["kedro_tabular"].__file__
"""


def digest(path):
    return hashlib.md5(path.read_bytes(), usedforsecurity=False).hexdigest()


def versions(own):
    return sorted(int(v.version) for v in own.client.search_model_versions(f"name = '{own.contract.name}'"))


@pytest.fixture
def kept(own):
    """The table and the settings as they were, when the test is over."""
    table = (own.folder / RAW).read_bytes()
    base = own.folder / "conf" / "base"
    texts = {path: path.read_text() for path in base.glob("parameters*.yml")}
    yield base
    (own.folder / RAW).write_bytes(table)
    for path, text in texts.items():
        path.write_text(text)


def test_the_table_schema_preprocessing_signature_and_checks_see_the_same_columns(own):
    contract, model, table = own.contract, own.model, own.load("table")
    TableValidator(own.parameters["table"]).validate(table)
    assert set(build_schema(contract).columns) == {*contract.features, contract.target} | ({contract.time} - {None})
    assert {name for step in model.preprocessor.transformers for name in step[2]} == set(contract.features)
    assert list(check_rows(contract, to_columns(table), RowReasons(len(table), {}))) == contract.features
    assert [*model.guard.categories] == contract.of_type("category")
    assert model.guard.numbers == contract.of_type("number")
    mlflow.set_tracking_uri(f"sqlite:///{own.folder}/mlflow.db")
    signature = mlflow.models.get_model_info(f"models:/{contract.name}/1").signature
    required = {column.name: column.required for column in signature.inputs.inputs}
    assert required == {name: not column.nullable for name, column in contract.columns.items()}
    assert signature == make_signature(model)


def test_columns_that_settings_name_are_there(own):
    parameters, contract, table = own.parameters, own.contract, own.load("table")
    by = parameters["fallback"].get("kwargs", {}).get("by", [])
    slices = (parameters["gate"].get("slices") or {}).get("columns", [])
    assert set(by) | set(parameters["profile"]["slices"]) <= set(contract.of_type("category"))
    assert set(slices) <= set(contract.columns)
    keys = (parameters["serving"]["log"] or {"keys": []})["keys"]
    assert set(parameters["inference"]["keep"]) | set(keys) <= set(table.columns)
    assert contract.target not in keys


def test_a_version_is_registered_with_the_verdict_and_all_that_made_it(own):
    version = own.client.get_model_version(own.contract.name, "1")
    run = own.client.get_run(version.run_id)
    assert run.info.status == "FINISHED"
    gate = json.loads((own.folder / "data/08_reporting/gate.json").read_text())
    assert gate["verdict"] == version.tags["gate"]
    assert gate["rules"]
    head = subprocess.run(["git", "-C", own.folder, "rev-parse", "HEAD"], capture_output=True, check=True)
    for tags in (run.data.tags, lineage.expand_tags(version.tags)):
        assert tags[f"{lineage.DATA}table"] == digest(own.folder / RAW)
        assert tags[f"{lineage.GIT}commit"] == head.stdout.decode().strip()
        assert tags[f"{lineage.GIT}dirty"] == "false"
        assert tags[f"{lineage.ENVIRONMENT}lock"] == digest(own.folder / "requirements.lock")
    metrics = json.loads((own.folder / "data/08_reporting/metrics.json").read_text())
    assert run.data.metrics == pytest.approx(metrics, nan_ok=True)
    logged = {file.path for file in own.client.list_artifacts(run.info.run_id)}
    assert {"report.html", "gate.json", "metrics.json", "plots", "requirements.lock"} <= logged


def test_the_run_ends_with_what_is_next_and_without_a_warning(own):
    printed = (own.folder / "printed.txt").read_text()
    assert f"{own.contract.name} version 1" in printed
    assert "report.html" in printed
    assert "Deprecat" not in printed
    assert "Warning" not in printed


def test_the_version_loads_outside_the_project_and_answers_as_training_did(own, tmp_path):
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    rows, answers = own.folder / "data/03_primary/test.parquet", tmp_path / "answers.parquet"
    where = [f"sqlite:///{own.folder}/mlflow.db", f"models:/{own.contract.name}/1", str(rows), str(answers)]
    subprocess.run([sys.executable, "-c", CLIENT, *where], cwd=tmp_path, env=environment, check=True)
    expected = own.load("test_predictions").drop(columns=own.contract.target)
    for table in (told := pd.read_parquet(answers), expected):
        table["reasons"] = table["reasons"].map(list)
    pd.testing.assert_frame_equal(told, expected, check_exact=True)


def test_a_table_without_a_column_of_the_contract_ends_in_a_line_and_registers_nothing(own, train, kept):
    before, lost = versions(own), own.contract.features[-1]
    own.load("table").drop(columns=lost).to_parquet(own.folder / RAW, index=False)
    process = run_kedro(own.folder, *train)
    assert process.returncode != 0
    assert "Traceback" not in process.stdout + process.stderr
    assert f"missing columns: {lost}" in process.stderr
    assert versions(own) == before


def test_a_model_that_knows_nothing_is_refused_and_the_champion_stays(own, train, kept):
    kind = "Classifier" if own.contract.task == "classification" else "Regressor"
    dummy = {"class": f"sklearn.dummy.Dummy{kind}", "kwargs": {}}
    trivial = {"metric": own.parameters["profile"]["metric"], "margin": 0.001}
    gate = own.parameters["gate"] | {"trivial": trivial, "resamples": 100}
    # Not in conf/local, which would add to the arguments of the estimator instead of replacing them.
    for name, values in (("training", {"estimator": dummy, "fallback": dummy}), ("packaging", {"gate": gate})):
        path = kept / f"parameters_{name}.yml"
        path.write_text(yaml.safe_dump(yaml.safe_load(path.read_text()) | values, sort_keys=False))
    before, champion = versions(own), own.champion()
    printed = own.run("run", "--pipeline=train", "--from-inputs=table")
    assert "is refused by the gate" in printed
    (new,) = set(versions(own)) - set(before)
    assert "trivial" in own.client.get_model_version(own.contract.name, str(new)).tags["gate.failed"]
    assert own.champion() == champion == "1"


def test_a_second_run_gives_the_same_bytes_and_metrics(copy_own, train, tmp_path):
    own = copy_own(tmp_path / "project")
    against_the_champion = {"gate.json", "report.html"}
    made = [path for path in sorted((own.folder / "data").rglob("*")) if path.is_file()]
    before = {path: digest(path) for path in made if path.name not in against_the_champion}
    own.run(*train)
    assert {path: digest(path) for path in before} == before
    runs = [own.client.get_model_version(own.contract.name, version).run_id for version in ("1", "2")]
    first, second = (own.client.get_run(run).data.metrics for run in runs)
    assert first == pytest.approx(second, abs=0, rel=0, nan_ok=True)
