"""`kedro serve` and `kedro outcomes` in a project with many models of the sample."""

import datetime as dt

import pytest
from kedro_tabular.serving.log.prediction_log import PredictionLog

from ..conftest import copy_code, fail, succeed
from ..kedro_tabular.serving.test_prediction_log import row

NOW = dt.datetime(2025, 1, 1)


@pytest.fixture
def project(tmp_path):
    """A project with three models, and predictions of them in its log."""
    folder = copy_code(tmp_path / "project")
    for name, where in (
        ("pooled", "{}"),
        ("UA", "table: {where: {carrier: UA}}"),
        ("AA", "table: {where: {carrier: AA}}"),
    ):
        (folder / "conf" / "models" / name).mkdir(parents=True)
        (folder / "conf" / "models" / name / "parameters.yml").write_text(where)
    (folder / "data" / "07_model_output").mkdir(parents=True)
    log = PredictionLog(f"sqlite:///{folder}/data/07_model_output/prediction_log.db")
    log.append([row(0, id=model, model=model, time=NOW, event_time=NOW) for model in ("UA", "pooled")])
    log.close()
    return folder


def test_a_file_has_the_outcomes_of_all_models(project):
    (project / "outcomes.csv").write_text("id,outcome\nUA,1\npooled,0\nnone,1\n")
    assert "3 outcomes stored, 1 of them without a prediction so far" in succeed(project, "outcomes", "outcomes.csv")
    log = PredictionLog(f"sqlite:///{project}/data/07_model_output/prediction_log.db")
    assert log.read().set_index("model")["outcome"].to_dict() == {"UA": 1, "pooled": 0}
    log.close()


def test_what_can_not_be_served_together_is_told(project):
    assert "version 3 of which model? Write NAME/3" in fail(project, "serve", "--model=3")
    assert "the project has no model DL" in fail(project, "serve", "--model=DL@champion")
    assert "the registry is not reachable; and no version of it" in fail(project, "serve", "--model=AA/3")
    own = project / "conf" / "models" / "AA" / "parameters_serving.yml"
    own.write_text("serving: {log: {url: 'sqlite:///elsewhere.db'}}\n")
    assert "share the prediction log; serving.log.url differs in: AA" in fail(project, "serve")
    own.unlink()
    assert "no model can be served:\n- pooled: the registry is not reachable" in fail(project, "serve")
