"""Commands while the registry or the storage of files is slow, fails or is down, as real servers behind proxies."""

import logging
import time

import pytest
import yaml
from mlflow.tracking import MlflowClient

from ...conftest import run_kedro
from ...storage import BUCKET
from ..lineage.adopted import copy_adopted, run
from ..registering import empty_store
from ..team import team_servers

logger = logging.getLogger(__name__)  # shows what was measured: -o log_cli=true --log-cli-level=INFO
pytestmark = pytest.mark.slow

TRAIN = ["run", "--pipeline=train", "--params", "estimator.kwargs.max_iter=30"]
MONITORING = ["run", "--pipeline=monitoring", "--params", "window=36500d"]


@pytest.fixture(scope="module")
def team(tmp_path_factory):
    folder = tmp_path_factory.mktemp("team")
    with team_servers(folder, empty_store()) as servers:
        yield servers


@pytest.fixture(scope="module")
def project(tmp_path_factory, team):
    """A project that has registered version 1 on these servers."""
    folder = copy_adopted(tmp_path_factory)
    path = folder / "conf" / "base" / "mlflow.yml"
    settings = yaml.safe_load(path.read_text())
    settings["server"]["mlflow_tracking_uri"] = team.url
    settings["tracking"]["experiment"]["create_experiment_kwargs"] = {"artifact_location": f"s3://{BUCKET}/mlflow"}
    path.write_text(yaml.safe_dump(settings))
    run(folder, "run", "--pipeline=train")
    return folder


@pytest.fixture(autouse=True)
def recovered(team):
    yield
    team.recover()


def registered(team):
    """Versions with their verdicts, and the champion."""
    client = MlflowClient(team.direct_url)
    found = client.search_model_versions("name = 'orders'")
    tags = {int(version.version): version.tags.get("gate") for version in found}
    return tags, client.get_model_version_by_alias("orders", "champion").version


def fail_soon(project, url, *command):
    """A command, which has to end with a line that names the server, in bounded time."""
    started = time.monotonic()
    done = run_kedro(project, *command)
    seconds, printed = time.monotonic() - started, done.stdout + done.stderr
    logger.info("%s %.0f s: %s", command, seconds, done.stderr.strip().splitlines()[-1])
    assert done.returncode == 1, printed
    assert "Traceback" not in printed, printed
    assert done.stderr.strip().splitlines()[-1].startswith("Error: "), printed
    assert url in done.stderr.strip().splitlines()[-1]
    assert seconds < 180
    return printed


@pytest.mark.parametrize(
    ("command", "fault"),
    [(["promote", "1"], "error"), (TRAIN, "down"), (MONITORING, "error")],
    ids=["promote", "train", "monitoring"],
)
def test_without_the_registry_a_command_ends_with_a_line(team, project, command, fault):
    known = registered(team)
    team.registry.behave(fault)
    fail_soon(project, team.url, *command)
    assert registered(team) == known


@pytest.mark.parametrize("behaviour", [{"seconds": 2}, {"fault": "error", "every": 2}])
def test_with_a_slow_or_unreliable_registry_commands_still_work(team, project, behaviour):
    team.registry.behave(**behaviour)
    started = time.monotonic()
    assert "champion" in run(project, "models")
    run(project, "promote", "1")
    logger.info("%.0f s", time.monotonic() - started)


def test_a_training_whose_files_can_not_be_stored_registers_nothing_and_can_be_repeated(team, project):
    known = registered(team)
    team.storage.behave("down", after=20)  # calls
    printed = fail_soon(project, "", *TRAIN)
    assert "127.0.0.1" in printed
    assert registered(team) == known
    team.recover()
    run(project, *TRAIN)
    assert len(registered(team)[0]) == len(known[0]) + 1


def test_a_training_whose_registry_goes_down_leaves_whole_versions_only(team, project):
    known = registered(team)
    team.registry.behave("down", after=40)
    fail_soon(project, team.url, *TRAIN)
    assert registered(team) == known
    team.recover()
    run(project, *TRAIN)
    assert set(registered(team)[0].values()) <= {"passed", "refused"}
