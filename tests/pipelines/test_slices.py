"""Each pipeline wired and run by Kedro on a small catalog in memory, from the table to the evaluation."""

import json
from types import SimpleNamespace

import numpy as np
import pytest
from kedro.io import DataCatalog
from kedro.pipeline import Pipeline
from kedro.runner import SequentialRunner
from kedro_tabular.contract.contract import Contract
from kedro_tabular.gate.comparison import compare_models
from kedro_tabular.gate.packaging import Cost
from kedro_tabular.gate.rules import apply_rules
from kedro_tabular.modelling.packaged_model import PackagedModel
from kedro_tabular.parameters import ParameterError

from project.pipelines import data_prep, evaluation, feature_engineering, packaging, training

from ..conftest import GUARD, make_contract, make_table

SETTINGS = {
    "features": {"max_codes": 20, "datetime_parts": ["hour", "weekday"]},
    "evaluation": {"calibration_bins": 5, "importance_rows": 100, "importance_repeats": 1, "alphas": [0.1, 0.3]},
    "guard": GUARD,
    "decision": {"threshold": 0.5},
    "packaging": {"requirements": ["scikit-learn"], "example_rows": 2},
    "evaluation.calibration_bins": 5,
    "features.datetime_parts": ["hour", "weekday"],
    "trusted_types": [],
    "seed": 0,
}
BY_TIME = {"train": "2020-04-30", "calibration": "2020-05-31", "test": "2020-07-31"}
BY_SHARE = {"train": 0.6, "calibration": 0.1, "test": 0.2}
KINDS = {
    "binary": ("classification", "when", "HistGradientBoostingClassifier", "roc_auc"),
    "text": ("classification", None, "HistGradientBoostingClassifier", "roc_auc"),
    "number": ("regression", None, "HistGradientBoostingRegressor", "r2"),
}


@pytest.fixture(scope="module", params=KINDS)
def catalog(request, tmp_path_factory):
    """The outputs of all pipelines for one kind of table."""
    task, time, estimator, metric = KINDS[request.param]
    groups = "GroupMeans" if task == "regression" else "GroupRates"
    settings = SETTINGS | {
        "fallback": {"class": f"kedro_tabular.modelling.{groups}", "kwargs": {"by": ["colour"]}},
        "table": make_contract(task, time),
        "split": BY_TIME if time else BY_SHARE,
        "gate": {
            "promote": "auto",
            "resamples": 20,
            "confidence": 0.9,
            "trivial": {"metric": metric, "margin": 0.1},
            "champion": {"metric": metric, "mode": "not_worse", "tolerance": 0, "unscoreable": "refuse"},
            "slices": {"metric": metric, "columns": ["colour"], "min_rows": 20, "max_drop": 0},
        },
        "estimator": {"class": f"sklearn.ensemble.{estimator}", "kwargs": {"max_iter": 20}},
        "profile": {
            "bins": 10,
            "categories": 20,
            "sample_rows": 50,
            "metric": metric,
            "slices": ["colour"],
            "slice_rows": 20,
        },
    }
    plots = {
        "type": "partitions.PartitionedDataset",
        "path": str(tmp_path_factory.mktemp("plots")),
        "dataset": "text.TextDataset",
    }
    catalog = DataCatalog.from_config({"plots": plots})
    catalog["table"] = make_table(1000, request.param)
    catalog["data_versions"] = {"table.parquet": "0123"}
    catalog["model_sizes"] = {"model.skops": 1000}
    catalog["champion"] = catalog["pooled"] = None
    for name, value in settings.items():
        catalog[f"params:{name}"] = value
    catalog["params:estimator.class"] = settings["estimator"]["class"]
    catalog.kind = request.param
    for module in (data_prep, feature_engineering, training, evaluation, packaging):
        pipeline = module.create_pipeline()
        missing = [name for name in pipeline.inputs() if name not in catalog]
        assert not missing, f"{module.__name__} needs {missing}"
        for node in pipeline.nodes:  # one by one, since Kedro releases what no later node of a run takes
            for name, dataset in SequentialRunner().run(Pipeline([node]), catalog).items():
                catalog[name] = dataset.load()
    return catalog


def test_the_model_beats_the_baseline(catalog):
    metrics = catalog.load("metrics")
    name = KINDS[catalog.kind][3]
    assert metrics[name] > metrics[f"dummy_{name}"] + 0.2


def test_every_row_of_the_test_table_is_predicted(catalog):
    predictions, table = catalog.load("test_predictions"), catalog.load("test_table")
    assert len(predictions) == len(table)
    assert (predictions["answer"] == table["answer"]).all()
    assert predictions["prediction"].notna().all()


def test_the_report_holds_every_plot(catalog):
    assert catalog.load("report").count("<img") == len(catalog.load("plots")) + 2


def test_the_gate_passes_the_first_version(catalog):
    gate = catalog.load("gate")
    assert (gate["verdict"], gate["champion"]) == ("passed", None)
    json.dumps(gate, allow_nan=False)


def test_a_champion_that_is_the_same_model_scores_the_same(catalog):
    contract = catalog.load("params:table")
    packaged = PackagedModel.from_parts(
        Contract.from_parameters(contract),
        *(catalog.load(name) for name in ("preprocessor", "model", "guard", "fallback")),
    )
    champion = SimpleNamespace(
        version="1",
        changes=[],
        parameters={},
        contract=contract,
        seen_rows=np.empty(0, dtype=np.uint64),
        predict=packaged.predict,
    )
    comparison = compare_models(
        champion,
        *(catalog.load(name) for name in ("test_table", "test_predictions")),
        *(catalog.load(f"params:{name}") for name in ("table", "gate", "split")),
        calibration_bins=5,
        seed=0,
    )
    assert comparison.problem is None
    assert {row["gain"] for row in comparison.metrics.values()} == {0}
    assert {part.gain for part in comparison.slices} == {0}
    assert (comparison.calibration == "") == (contract["task"] == "regression")
    cost = Cost(latency_ms=1, size_mb=1)
    verdict = apply_rules(catalog.load("metrics"), comparison, cost, catalog.load("params:gate"))
    assert verdict["verdict"] == "passed"


def test_the_package_has_name_signature_and_requirements(catalog):
    package = catalog.load("registered_model")
    assert package.name == "small"
    assert package.contract["decision"] == catalog.load("decision")
    assert package.contract["decision"]["threshold"] == (0.5 if catalog.kind == "binary" else None)
    assert list(package.input_example.columns) == package.signature.inputs.input_names()
    assert [line.partition("==")[0] for line in package.requirements] == ["scikit-learn"]


def test_a_profile_of_another_table_is_not_packaged(catalog):
    packaging_node = packaging.create_pipeline().nodes[-1]
    inputs = {name: catalog.load(name) for name in packaging_node.inputs}
    inputs["profile"] = inputs["profile"] | {"table": inputs["params:table"] | {"name": "other"}}
    with pytest.raises(ParameterError, match="the reference profile is of another table"):
        packaging_node.run(inputs)
