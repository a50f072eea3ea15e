"""Several people and machines with the servers of deploy/. Each has a clone of its own, and no keys of the storage."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import mlflow
import pytest
import requests
from mlflow.exceptions import MlflowException
from mlflow.tracking import MlflowClient

from ...conftest import make_table
from ...repositories import commit
from ..lineage.adopted import copy_adopted, dvc
from .deployed import ADMIN, Clone, server_command
from .settings import DEPLOY

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("connected")]

MODEL = "orders"


@pytest.fixture(scope="module")
def first(tmp_path_factory, team):
    """The clone of a promoter, who has trained version 1."""
    folder = copy_adopted(tmp_path_factory)
    shared = tmp_path_factory.mktemp("shared")
    dvc(folder, "remote", "modify", "storage", "url", str(shared))
    clone = Clone.of(folder, team, "promoter")
    clone.succeed("run", "--pipeline=train")
    commit(folder)
    dvc(folder, "push", "--quiet")
    return clone


@pytest.fixture
def as_user(first, team):
    """The first clone, used by another person."""
    return lambda user: Clone.of(first.folder, team, user)


@pytest.fixture(scope="module")
def second(tmp_path_factory, team, first):
    """A clone of a reader, on a machine that does not have the folder of the first."""
    folder = tmp_path_factory.mktemp("second") / "project"
    subprocess.run(["git", "clone", "--quiet", first.folder, folder], check=True)
    return Clone.of(folder, team, "reader")


def registered():
    """The verdict of each version, and the aliases."""
    found = MlflowClient().search_model_versions(f"name = '{MODEL}'")
    versions = {str(version.version): version.tags["gate"] for version in found}
    return versions, MlflowClient().get_registered_model(MODEL).aliases


def test_all_artifacts_are_in_the_bucket_and_none_on_the_disk_of_a_client(team, first):
    assert registered() == ({"1": "passed"}, {"champion": "1"})
    keys = team.servers.objects()
    assert all(key.startswith("mlflow/") for key in keys)
    for name in ("MLmodel", "model.skops", "report.html", "requirements.lock", "parameters.json"):
        assert any(key.endswith(f"/{name}") for key in keys), name
    assert not [name for name in ("mlartifacts", "mlruns", "mlflow.db") if (first.folder / name).exists()]


def test_another_machine_serves_scores_and_traces_what_the_first_has_trained(first, second, tmp_path):
    hidden = first.folder.rename(tmp_path / "hidden")
    try:
        rows = make_table(5).drop(columns="answer").to_json(orient="records", date_format="iso")
        with second.serving() as url:
            body = f'{{"records": {rows}}}'
            answer = requests.post(f"{url}/predict", body, headers={"Content-Type": "application/json"}, timeout=60)
            assert answer.ok, answer.text
            assert {row["source"] for row in answer.json()["predictions"]} == {"model"}
        dvc(second.folder, "pull", "data/01_raw/orders.csv.dvc")
        second.succeed("lineage", "champion", "--verify")
        assert "identical" in second.succeed("reproduce", "champion")
    finally:
        hidden.rename(first.folder)


def test_a_trainer_of_another_machine_scores_and_monitors(first, second, team):
    trainer = Clone.of(second.folder, team, "trainer")
    dvc(second.folder, "pull", "data/01_raw/orders.csv.dvc")
    trainer.succeed("run", "--pipeline=data_prep")
    trainer.succeed("run", "--pipeline=inference")
    assert "Verdict" in trainer.succeed("run", "--pipeline=monitoring", "--params", "window=36500d")


def test_a_reader_can_neither_promote_nor_train(as_user):
    before, reader = registered(), as_user("reader")
    for command in (["promote", "1", "--force", "--reason=x"], ["rollback"], ["run", "--pipeline=train"]):
        assert "the user 'reader' needs the permission" in reader.fail(*command)
    assert registered() == before


def test_what_a_trainer_trains_waits_for_a_promoter(as_user):
    trainer = as_user("trainer")
    said = trainer.succeed("run", "--pipeline=train", "--params", "estimator.kwargs.max_iter=25,gate.champion=")
    (newest, *_), aliases = sorted(registered()[0], reverse=True), registered()[1]
    assert aliases == {"champion": "1", "challenger": newest}, said
    assert "the permission MANAGE on the registered model is missing" in " ".join(said.split())
    assert "needs the permission MANAGE on the registered model" in trainer.fail("promote", newest)
    assert registered()[1] == aliases
    promoter = as_user("promoter")
    promoter.succeed("promote", newest)
    assert registered()[1] == {"champion": newest, "previous": "1"}
    promoter.succeed("rollback")
    assert registered()[1] == {"champion": "1"}


@pytest.mark.parametrize("command", [["models"], ["run", "--pipeline=train"], ["serve", "--port=1"], ["promote", "1"]])
def test_a_wrong_password_is_told_and_not_printed(as_user, command):
    stranger = as_user("reader")
    stranger.environment["MLFLOW_TRACKING_PASSWORD"] = "of-somebody-else"
    line = stranger.fail(*command)
    assert "does not accept the user 'reader' with this password" in line
    assert "of-somebody-else" not in line


def test_a_request_by_another_name_is_refused(team):
    url = team.servers.url
    assert requests.get(f"{url}/health", timeout=30).ok
    for path in ("/", "/api/2.0/mlflow/experiments/get?experiment_id=0"):
        assert requests.get(url + path, headers={"Host": "evil.example.com"}, timeout=30).status_code == 403
        assert requests.get(url + path, timeout=30).status_code == 401


def test_a_browser_may_use_the_pages_by_the_name_of_the_proxy_and_no_other_site_may(team):
    headers = {"Content-Type": "application/json"}
    admin = (ADMIN, team.servers.environment["MLFLOW_AUTH_ADMIN_PASSWORD"])
    for origin, refused in (("https://mlflow.example.com", False), ("https://evil.example.com", True)):
        answer = requests.post(
            f"{team.servers.url}/ajax-api/2.0/mlflow/runs/search",
            json={"experiment_ids": ["0"]},
            headers=headers | {"Origin": origin},
            auth=admin,
            timeout=30,
        )
        assert (answer.status_code == 403) == refused, answer.text


@pytest.mark.parametrize("name", ["MLFLOW_AUTH_ADMIN_PASSWORD", "MLFLOW_FLASK_SERVER_SECRET_KEY", "PGPASSWORD"])
@pytest.mark.parametrize("value", ["", "short", "an-example-of-a-secret", "please-change-me-soon"])
def test_the_server_does_not_start_with_a_secret_that_is_empty_or_an_example(team, name, value):
    environment = team.servers.environment | {"PGHOST": "localhost", name: value}
    done = subprocess.run(server_command(), env=environment, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 1
    assert name in done.stderr
    assert "openssl rand" in done.stderr


def test_an_experiment_whose_artifacts_are_on_one_machine_is_told_with_the_cure(as_user, tmp_path):
    promoter, client = as_user("promoter"), MlflowClient()
    client.create_experiment("misplaced", artifact_location="/nowhere/mlartifacts/7")
    conf = promoter.folder / "conf" / "local-names"
    conf.mkdir()
    address = promoter.environment["MLFLOW_TRACKING_URI"]
    (conf / "mlflow.yml").write_text(
        f"server: {{mlflow_tracking_uri: '{address}'}}\ntracking: {{experiment: {{name: misplaced}}}}\n"
    )
    try:
        promoter.environment["KEDRO_ENV"] = "local-names"
        line = promoter.fail("run", "--pipeline=train")
        assert "/nowhere/mlartifacts" in line
        cure = line[line.index("mlflow experiments rename") :].split(". If")[0].split()
        subprocess.run([Path(sys.executable).with_name(cure[0]), *cure[1:]], env=promoter.environment, check=True)
        promoter.succeed("run", "--pipeline=train", "--params", "packaging.register=false")
        location = client.get_experiment_by_name("misplaced").artifact_location
        assert location.startswith("mlflow-artifacts:/")
    finally:
        (conf / "mlflow.yml").unlink()
        conf.rmdir()


def contents(registry, version, folder):
    """What a registry has of a version: the files of the run and of the model, and all that its run recorded."""
    mlflow.set_tracking_uri(registry)
    mlflow.set_registry_uri(registry)
    client = MlflowClient()
    run = client.get_run(client.get_model_version(MODEL, version).run_id)
    files = {}
    for name, uri in (("run", run.info.artifact_uri), ("model", f"models:/{MODEL}/{version}")):
        (folder / name).mkdir(parents=True)
        found = Path(mlflow.artifacts.download_artifacts(uri, dst_path=str(folder / name), tracking_uri=registry))
        files |= {f"{name}/{path.relative_to(found)}": path.read_bytes() for path in found.rglob("*") if path.is_file()}
    del files["model/MLmodel"]  # it names the run and the model
    tags = {name: value for name, value in run.data.tags.items() if not name.startswith("mlflow.")}
    return files, run.data.params, run.data.metrics, tags, [one.dataset.digest for one in run.inputs.dataset_inputs]


def test_a_version_is_copied_between_registries_bit_for_bit(team, as_user, tmp_path):
    promoter, before = as_user("promoter"), registered()
    own = f"sqlite:///{tmp_path}/own.db"
    promoter.succeed("models", "copy", "champion", "--to", own)
    copy, original = contents(own, "1", tmp_path / "copy"), contents(team.servers.url, "1", tmp_path / "original")
    assert copy == original
    assert "is there already" in promoter.succeed("models", "copy", "1", "--to", own)
    client = MlflowClient(own, own)
    (version,) = client.search_model_versions(f"name = '{MODEL}'")
    assert (version.tags["copied.gate"], version.tags["copied.from"]) == ("passed", f"{team.servers.url} {MODEL}/1")
    assert "gate" not in version.tags
    assert client.get_registered_model(MODEL).aliases == {}

    promoter.environment["MLFLOW_TRACKING_URI"] = own
    assert "never judged" in promoter.fail("promote", "1")
    promoter.succeed("promote", "1", "--force", "--reason=from the team")
    promoter.succeed("lineage", "champion", "--verify")
    reader = {"TARGET_TRACKING_USERNAME": "reader", "TARGET_TRACKING_PASSWORD": team.passwords["reader"]}
    promoter.environment.update(reader)
    assert "the user 'reader' needs the permission" in promoter.fail("models", "copy", "1", "--to", team.servers.url)
    assert registered() == before


def test_four_trainings_at_once_all_register_and_one_becomes_champion(first, team, tmp_path):
    known = registered()[0]
    command = [Path(sys.executable).with_name("kedro"), "run", "--pipeline=train", "--params"]
    processes = []
    for number in range(4):
        clone = Clone.of(shutil.copytree(first.folder, tmp_path / str(number), symlinks=True), team, "promoter")
        options = {
            "cwd": clone.folder,
            "env": clone.environment,
            "stdout": subprocess.PIPE,
            "stderr": subprocess.STDOUT,
        }
        processes.append(subprocess.Popen([*command, f"estimator.kwargs.max_iter={20 + number}"], **options))
    outputs = [process.communicate()[0].decode() for process in processes]
    assert [process.returncode for process in processes] == [0] * 4, "\n".join(outputs)
    versions, aliases = registered()
    added = versions.keys() - known.keys()
    assert len(added) == 4
    tags = {one.version: one.tags for one in MlflowClient().search_model_versions(f"name = '{MODEL}'")}
    promoted = [version for version in added if "promoted.at" in tags[version]]
    assert aliases["champion"] in (promoted or ["1"])
    assert len(promoted) <= 1, "they were compared with the same champion"
    assert not [tag for tag in MlflowClient().get_registered_model(MODEL).tags if tag.startswith("lock.")]


def test_a_lost_database_and_bucket_come_back_from_a_backup(team, as_user, tmp_path):
    servers, before = team.servers, registered()
    binaries = f"{Path(sys.executable).parent}{os.pathsep}{servers.postgres.binaries}{os.pathsep}{os.environ['PATH']}"
    environment = servers.environment | {"PATH": binaries, "PGUSER": "postgres"}

    def execute(script):
        command = ["sh", DEPLOY / script, tmp_path / "backup"]
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr

    execute("backup.sh")
    keys = servers.objects()
    servers.lose_everything()
    with pytest.raises(MlflowException):
        registered()
    execute("restore.sh")
    assert servers.objects() == keys
    with servers.server_on_another_port() as url:
        mlflow.set_tracking_uri(url)
        mlflow.set_registry_uri(url)
        assert registered() == before
        promoter = as_user("promoter")
        promoter.environment["MLFLOW_TRACKING_URI"] = url
        promoter.succeed("lineage", "champion", "--verify")
