"""README, "Many models": the sample by carrier, each command as the page has it, on every 40th of the flights."""

import json
import re
import shlex
import shutil

import pytest
import requests

from ..conftest import ROOT, run_kedro
from ..processes import serving
from ..repositories import commit, git
from .test_dvc import dvc, set_parameter

pytestmark = pytest.mark.slow

SEGMENT_ROWS = 600  # of every 40th flight: four carriers have as many


@pytest.fixture(scope="module")
def project(tmp_path_factory, copy_project):
    """A repository whose table has been split into its parts."""
    folder = copy_project(tmp_path_factory.mktemp("carriers") / "project")
    for name in ("dvc.yaml", ".gitignore", ".dvcignore"):
        shutil.copy(ROOT / name, folder)
    shutil.copytree(ROOT / ".dvc", folder / ".dvc", ignore=shutil.ignore_patterns("cache", "tmp", "config.local"))
    for pipeline, key, value in (
        ("data_prep", "segment_rows", SEGMENT_ROWS),
        ("training", "max_iter", 20),
        ("evaluation", "importance_rows", 50),
        ("evaluation", "importance_repeats", 1),
        ("packaging", "resamples", 50),
    ):
        set_parameter(folder, pipeline, key, value)
    git(folder, "init", "--quiet")
    for pointer in folder.glob("data/01_raw/*.dvc"):
        pointer.unlink()  # it names the remote of the sample
    dvc(folder, "add", "--quiet", *sorted(map(str, folder.glob("data/01_raw/*.parquet"))))
    commit(folder)
    run(folder, "run", "--pipelines=ingestion,data_prep")
    return folder


def run(folder, *arguments):
    """What a command prints, which has to succeed."""
    done = run_kedro(folder, *arguments)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def commands():
    """The commands of the section of the page."""
    section = re.search(r"(?ms)^## Many models$(.*?)^## ", (ROOT / "README.md").read_text())
    assert section is not None
    return [shlex.split(line, comments=True) for line in re.findall(r"(?m)^    (\S.*)$", section[1])]


def test_the_sample_by_carrier_is_trained_served_and_monitored_as_the_page_says(project):
    add, *_ = found = commands()
    assert [" ".join(command[:3]) for command in found] == [
        "kedro models add",
        "git add --all",
        "kedro models train",
        "kedro models",
        "kedro serve",
        "kedro replay --from",
        "kedro models monitor",
    ]
    said = run(project, *add[1:])
    models = re.search(r"4 models by carrier: ([\w, ]+); and pooled, of all rows", said)[1].split(", ")
    assert models == ["B6", "DL", "EV", "UA"]
    assert "left to pooled" in said
    commit(project)

    train, table, _, replay, monitor = (command[1:] for command in found[2:])
    run(project, *train)
    assert "Running stage" not in dvc(project, "repro", "-R", "conf/models")
    listed = {one["model"]: one for one in json.loads(run(project, *table, "--json"))}
    assert set(listed) == {*models, "pooled"}
    against = {}
    for model in models:
        reports = project / "data" / "08_reporting" / model
        against[model] = json.loads((reports / "gate.json").read_text())["pooled"]["found"]
        assert against[model] in ("better", "worse", "no clear difference")
        assert "pooled" in (reports / "report.html").read_text()

    with serving(project) as (_, url):
        said = run(project, *replay, "--url", url)
        answered = set(re.findall(r"by (\w+)/1", said))
        assert "pooled" in answered and len(answered) > 1
        served = {one["name"]: one for one in requests.get(f"{url}/models", timeout=60).json()["models"]}
        assert served["UA"]["rows"] == "carrier = UA"
        assert set(served) == {*models, "pooled"}
    run(project, *monitor)
    page = (project / "data" / "08_reporting" / "models.html").read_text()
    assert all(model in page for model in models)
    assert all(f"{model}/monitoring.html" in page for model in answered)
