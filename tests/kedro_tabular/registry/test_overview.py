"""What is deployed of many models, those that need a person first."""

import mlflow
import pytest
from kedro_tabular.registry.overview import FINE, NEVER_TRAINED, NO_CHAMPION, REFUSED, WAITING, read_overview
from mlflow.tracking import MlflowClient

from ..registering import empty_store


@pytest.fixture
def register(tmp_path):
    """Registers versions of a model with these verdicts, and moves aliases."""
    (tmp_path / "mlflow.db").write_bytes(empty_store())
    mlflow.set_tracking_uri(f"sqlite:///{tmp_path}/mlflow.db")
    client = MlflowClient()

    def register(name, verdicts, **aliases):
        client.create_registered_model(name)
        for number, verdict in enumerate(verdicts, start=1):
            run = client.create_run("0")
            client.log_metric(run.info.run_id, "roc_auc", 0.6 + number / 100)
            client.log_metric(run.info.run_id, "dummy_roc_auc", 0.5)
            tags = {"gate": verdict, "data.table": f"md5-{number}"}
            tags |= {"gate.failed": "trivial model"} if verdict == "refused" else {}
            client.create_model_version(name, str(tmp_path), run.info.run_id, tags=tags)
        for alias, version in aliases.items():
            client.set_registered_model_alias(name, alias, str(version))

    yield register
    mlflow.set_tracking_uri(None)


def test_models_that_need_a_person_come_first(register):
    register("fine", ["passed", "passed"], champion=2)
    register("refused", ["passed", "refused"], champion=1)
    register("waits", ["passed", "passed"], champion=1, challenger=2)
    register("without", ["refused"])
    register("of another project", ["passed"], champion=1)
    found = read_overview(["fine", "refused", "untrained", "waits", "without"], "roc_auc")
    expected = [
        ("without", NO_CHAMPION),
        ("untrained", NEVER_TRAINED),
        ("waits", WAITING),
        ("refused", REFUSED),
        ("fine", FINE),
    ]
    assert [(one.model, one.todo) for one in found] == expected
    without, untrained, waits, refused, fine = found
    assert (without.champion, without.verdict, without.metric) == ("", "refused: trivial model", None)
    assert (untrained.newest, untrained.age) == ("", None)
    assert (waits.champion, waits.challenger, waits.newest) == ("1", "2", "2")
    assert (refused.champion, refused.newest, refused.verdict) == ("1", "2", "refused: trivial model")
    assert (fine.champion, fine.metric, fine.baseline, fine.table) == ("2", pytest.approx(0.62), 0.5, "md5-2")
    assert fine.age == pytest.approx(0, abs=0.01)


def test_an_older_champion_after_a_rollback_is_shown_with_its_own_metric(register):
    register("one", ["passed", "passed", "passed"], champion=1)
    (summary,) = read_overview(["one"], "roc_auc")
    assert (summary.champion, summary.metric, summary.newest, summary.todo) == ("1", pytest.approx(0.61), "3", FINE)
