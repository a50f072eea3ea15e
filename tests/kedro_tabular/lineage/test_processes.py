import mlflow
from kedro_tabular.lineage.processes import end_killed_runs
from kedro_tabular.lineage.run_context import PROCESS, tag_runs_with_process
from mlflow.tracking import MlflowClient


def test_a_run_has_the_tag_of_its_process_from_its_first_request(tmp_path, monkeypatch):
    mlflow.set_tracking_uri(f"sqlite:///{tmp_path}/mlflow.db")
    experiment = mlflow.create_experiment("test", artifact_location=tmp_path.as_uri())
    tag_runs_with_process()
    tag_runs_with_process()  # in a notebook there are several runs
    requests = []
    create = MlflowClient.create_run
    monkeypatch.setattr(MlflowClient, "create_run", lambda *a, **k: requests.append(k["tags"]) or create(*a, **k))
    with mlflow.start_run(experiment_id=experiment) as run:
        end_killed_runs(experiment)  # this process lives
        assert MlflowClient().get_run(run.info.run_id).info.status == "RUNNING"
    assert [PROCESS in tags for tags in requests] == [True]


def test_a_run_whose_process_has_ended_is_ended(tmp_path):
    mlflow.set_tracking_uri(f"sqlite:///{tmp_path}/mlflow.db")
    experiment = mlflow.create_experiment("test", artifact_location=tmp_path.as_uri())
    tag_runs_with_process()
    with mlflow.start_run(experiment_id=experiment) as run:
        host, pid, _ = run.data.tags[PROCESS].rsplit(" ", 2)
        mlflow.set_tag(PROCESS, f"{host} {pid} 1.0")  # an earlier process with the same id
        end_killed_runs(experiment)
        assert MlflowClient().get_run(run.info.run_id).info.status == "KILLED"
