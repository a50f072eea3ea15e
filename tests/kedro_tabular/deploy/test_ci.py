"""The steps of Jenkinsfile and of the workflows, run in their order in a clone, against the servers of deploy/."""

import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import pandas as pd
import pytest
import requests
import yaml
from mlflow.tracking import MlflowClient

from ...conftest import ROOT, make_table
from ...repositories import commit, git
from ..lineage.adopted import copy_reproduced, dvc, set_parameter
from .deployed import Clone, Team

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("connected")]

MODEL = "orders"
NIGHTLY = "TimerTrigger"
WORKFLOWS = ROOT / ".github" / "workflows"
A_TEST = "def test_of_the_project():\n    assert True\n"


class Step(NamedTuple):
    """A command, and whether it runs for a branch and a trigger; `may_fail`: the next one runs all the same."""

    command: str
    runs: Callable[[str, bool], bool]
    may_fail: bool = False


def jenkins_steps() -> list[Step]:
    """The commands of all stages, with their conditions."""
    steps = []
    for stage in re.split(r"\n {8}stage\(", (ROOT / "Jenkinsfile").read_text().partition("\n    post {")[0])[1:]:
        condition = stage.partition("steps {")[0]
        on_main, by_day = "branch 'main'" in condition, f"not {{ triggeredBy '{NIGHTLY}' }}" in condition
        by_night = f"triggeredBy '{NIGHTLY}'" in condition and not by_day

        def runs(branch: str, night: bool, on_main=on_main, by_day=by_day, by_night=by_night) -> bool:
            return (branch == "main" or not on_main) and not (by_day and night) and (night or not by_night)

        steps += [Step(command, runs) for command in re.findall(r"sh '(.*)'", stage)]
    return steps


def workflow_steps() -> list[Step]:
    """The commands of both workflows."""
    steps = []
    for name, at_night in (("change.yml", False), ("nightly.yml", True)):
        (job,) = yaml.safe_load((WORKFLOWS / name).read_text())["jobs"].values()
        for step in job["steps"]:
            condition = str(step.get("if", ""))
            on_main, after_failure = "refs/heads/main" in condition, "outcome == 'failure'" in condition

            def runs(branch: str, night: bool, on_main=on_main, at_night=at_night) -> bool:
                return night == at_night and (branch == "main" or not on_main)

            if "run" in step and not after_failure:
                steps.append(Step(step["run"], runs, step.get("continue-on-error", False)))
            elif "run" in step:
                steps[-1] = Step(f"{steps[-1].command} || {step['run']}", runs)
    return steps


@pytest.fixture(scope="module")
def upstream(tmp_path_factory, team: Team) -> Path:
    """The repository that changes are merged into, whose model a promoter has released."""
    folder = copy_reproduced(tmp_path_factory)
    makefile = (ROOT / "Makefile").read_text().partition("# --- Of the template itself")[0]
    (folder / "Makefile").write_text(makefile)
    for name in ("tests", "notebooks"):
        (folder / name).mkdir()
    (folder / "notebooks" / ".gitkeep").touch()
    (folder / "tests" / "test_project.py").write_text(A_TEST)
    dvc(folder, "remote", "modify", "storage", "url", str(tmp_path_factory.mktemp("shared")))
    commit(folder)
    dvc(folder, "push", "--quiet")
    return folder


@pytest.fixture
def build(upstream, team, tmp_path):
    """Makes a clone of a branch, as a build has it, in which a parameter of the training may be changed."""

    def build(branch: str, **parameters: str) -> Clone:
        folder = tmp_path / f"build-{branch}"
        subprocess.run(["git", "clone", "--quiet", upstream, folder], check=True)
        if branch != "main":
            git(folder, "checkout", "--quiet", "-b", branch)
        for key, value in parameters.items():
            set_parameter(folder, "training", key, value)
        (folder / ".venv").mkdir()
        for name in ("bin", "lib", "pyvenv.cfg"):
            (folder / ".venv" / name).symlink_to(Path(sys.prefix) / name)
        (folder / ".venv" / ".installed").touch()
        return Clone.of(folder, team, "promoter")

    return build


def execute(steps: list[Step], clone: Clone, branch: str, night: bool = False) -> subprocess.CompletedProcess[str]:
    """Run the steps for a branch until one fails; the result of the last."""
    environment = clone.environment | {"PATH": f"{clone.folder}/.venv/bin{os.pathsep}{os.environ['PATH']}"}
    environment |= {"GITHUB_STEP_SUMMARY": str(clone.folder.parent / "summary.md"), "PYTEST_ADDOPTS": "-n0"}
    for step in steps:
        if step.runs(branch, night):
            done = subprocess.run(
                ["bash", "-e", "-c", step.command],
                cwd=clone.folder,
                env=environment,
                capture_output=True,
                text=True,
                check=False,
            )
            if done.returncode and not step.may_fail:
                break
    return done


def registered() -> tuple[int, dict[str, str]]:
    """The number of versions, and the aliases."""
    client = MlflowClient()
    versions = client.search_model_versions(f"name = '{MODEL}'")
    return len(versions), client.get_registered_model(MODEL).aliases if versions else {}


@pytest.mark.parametrize(("branch", "night"), [("change", False), ("main", False), ("main", True)])
def test_jenkins_and_the_workflows_run_the_same_commands(branch, night):
    of_jenkins, of_workflows = (
        [step.command for step in steps if step.runs(branch, night) and "GITHUB_" not in step.command]
        for steps in (jenkins_steps(), workflow_steps())
    )
    assert of_jenkins == of_workflows


def test_a_candidate_is_promoted_on_main_only_and_a_bad_one_fails_with_the_reason(build, team):
    steps = workflow_steps()
    change = build("change", max_iter="21")
    done = execute(steps, change, "change")
    assert done.returncode == 0, done.stdout + done.stderr
    assert registered() == (0, {})
    assert "roc_auc" in (change.folder / "data" / "08_reporting" / "metrics.md").read_text()
    assert (change.folder / "data" / "08_reporting" / "report.html").is_file()

    done = execute(steps, build("main", max_iter="21"), "main")
    assert done.returncode == 0, done.stdout + done.stderr
    released = registered()
    assert released == (1, {"champion": "1"})

    done = execute(steps, build("bad", max_iter="2"), "bad")
    assert done.returncode != 0
    reason = [line for line in done.stderr.strip().splitlines() if not line.startswith("make")]
    assert "Error: the gate refused the model:" in reason
    assert reason[-1].startswith("- ")
    assert registered() == released
    assert team.passwords["promoter"] not in done.stdout + done.stderr


def serve_rows(clone: Clone, seed: int, size: float) -> None:
    """Let the service answer 300 rows of the last days, whose column `size` is multiplied."""
    rows = make_table(300, seed=seed).drop(columns="answer").assign(size=lambda table: table["size"] * size)
    rows["when"] = pd.Timestamp.now("UTC").floor("6h") - pd.to_timedelta(rows.index % 26 * 6, unit="h")
    body = f'{{"records": {rows.to_json(orient="records", date_format="iso")}}}'
    with clone.serving() as url:
        answer = requests.post(f"{url}/predict", body, headers={"Content-Type": "application/json"}, timeout=60)
        assert answer.ok, answer.text


def test_a_night_trains_with_the_newest_data_on_an_alert_only(upstream, build, tmp_path):
    source = upstream.parent / "orders.csv"  # where the table of the project comes from
    (upstream / "data" / "01_raw" / "orders.csv.dvc").unlink()
    dvc(upstream, "import-url", "--quiet", "--force", str(source), "data/01_raw/orders.csv")
    dvc(upstream, "push", "--quiet")
    commit(upstream)
    make_table(900).to_csv(source, index=False)
    champion = registered()[1]["champion"]

    serve_rows(build("served"), seed=1, size=1)
    quiet = build("quiet")
    done = execute(workflow_steps(), quiet, "main", night=True)
    assert done.returncode == 0, done.stdout + done.stderr
    assert (quiet.folder / "data" / "08_reporting" / "monitoring.html").is_file()
    assert registered() == (int(champion), {"champion": champion})

    serve_rows(build("drifted"), seed=2, size=3)
    main = build("main")
    done = execute(jenkins_steps(), main, "main", night=True)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "size" in done.stderr
    assert len(pd.read_csv(main.folder / "data" / "01_raw" / "orders.csv")) == 900
    versions, aliases = registered()
    assert versions == int(champion) + 1
    assert aliases in (
        {"champion": champion, "challenger": str(versions)},
        {"champion": str(versions), "previous": champion},
    )
