"""The text that MLflow shows first of a version."""

from kedro_tabular.registry.description import describe_version, explain_obstacle
from mlflow.entities import Run, RunData, RunInfo, RunTag

GATE = {
    "verdict": "refused",
    "champion": "3",
    "compared_rows": 1200,
    "rules": [{"rule": "champion", "passed": False, "why": "worse"}, {"rule": "size", "passed": True, "why": "small"}],
    "metrics": {
        "roc_auc": {
            "challenger": 0.7,
            "low": 0.6,
            "high": 0.8,
            "champion": 0.75,
            "champion_low": 0.7,
            "champion_high": 0.8,
        },
        "f1": {
            "challenger": None,
            "low": None,
            "high": None,
            "champion": 0.5,
            "champion_low": None,
            "champion_high": None,
        },
    },
}


def make_run(**tags):
    info = RunInfo("abc", "7", "ana", "FINISHED", 0, 1, "active")
    return Run(info, RunData(tags=[RunTag(name.replace("__", "."), value) for name, value in tags.items()]))


def test_it_has_the_verdict_the_metrics_beside_the_champions_and_the_report():
    run = make_run(data__table="82046ff62f80", git__commit="5401e6f83614", git__dirty="true")
    verdict, table, origin = describe_version(GATE, run).split("\n\n")
    assert verdict == "Gate: **refused**, compared with version 3 on 1,200 test rows\n- champion: worse"
    assert table.splitlines() == [
        "| Metric | This version | Champion |",
        "| --- | --- | --- |",
        "| roc_auc | 0.7000 (0.6000 to 0.8000) | 0.7500 (0.7000 to 0.8000) |",
        "| f1 |  | 0.5000 |",
    ]
    assert origin.startswith(
        "Table `82046ff6`, code `5401e6f8` with changes that are not committed. [Report](#/experiments/7"
    )


def test_the_first_version_has_no_champion_beside_it():
    first = GATE | {"champion": None, "metrics": {"rmse": {"challenger": 2.0, "low": 1.0, "high": 3.0}}}
    assert "| rmse | 2.0000 (1.0000 to 3.0000) |" in describe_version(first, make_run())
    assert "compared with" not in describe_version(first, make_run())


def test_an_obstacle_comes_first_and_replaces_an_earlier_one_but_nothing_that_a_person_wrote():
    text = describe_version(GATE, make_run())
    once = explain_obstacle(text, "it was rolled back")
    again = explain_obstacle(once, "gate.promote is manual")
    assert again.splitlines()[0].endswith(": gate.promote is manual")
    assert again.partition("\n\n")[2] == text
    assert explain_obstacle("for the holidays", "gate.promote is manual") is None
    assert explain_obstacle(None, "gate.promote is manual") is not None
