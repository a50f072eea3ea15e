"""Experiments of DVC, and a run without registration, in a real project of a small table."""

import json

import pytest
import yaml
from kedro_tabular.registry.aliases import CHALLENGER, CHAMPION, PREVIOUS

from ...conftest import run_kedro
from ...repositories import commit
from ..lineage.adopted import copy_adopted, dvc, open_store, run, runs, versions

pytestmark = pytest.mark.slow

MAX_ITER = "conf/base/parameters_training.yml:estimator.kwargs.max_iter"


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    """A project with one champion, whose gate lets every version pass."""
    folder = copy_adopted(tmp_path_factory)
    path = folder / "conf/base/parameters_packaging.yml"
    rules = {"promote": "auto", "resamples": 20, "confidence": 0.9}
    path.write_text(yaml.safe_dump(yaml.safe_load(path.read_text(encoding="utf-8")) | {"gate": rules}))
    run(folder, "dvc", "sync")
    commit(folder)
    dvc(folder, "repro", "--quiet")
    commit(folder)
    assert deployed(folder) == {CHAMPION: "1"}
    return folder


def deployed(project):
    aliases = open_store(project).get_registered_model("orders").aliases
    return {alias: str(version) for alias, version in aliases.items()}


def test_an_experiment_moves_no_alias(project):
    before, aliases = set(versions(open_store(project))), deployed(project)
    output = dvc(project, "exp", "run", "--name", "try-7", "-S", f"{MAX_ITER}=7")
    client = open_store(project)
    (version,) = set(versions(client)) - before
    assert deployed(project) == aliases
    tags = versions(client)[version]
    assert (tags["experiment"], tags["gate"], tags["gate.champion"]) == ("try-7", "passed", aliases[CHAMPION])
    description = client.get_model_version("orders", version).description
    assert ": it belongs to the experiment try-7\n" in description
    assert f"orders version {version} passed the gate and gets no alias" in output
    assert f"kedro promote {version}" in output
    report = (project / "data/08_reporting/report.html").read_text(encoding="utf-8")
    assert "belongs to the experiment try-7" in report
    promoted = run_kedro(project, "promote", version)
    assert promoted.stdout.strip() == f"orders version {version} is champion, in place of version {aliases[CHAMPION]}"
    assert deployed(project) == {CHAMPION: version, PREVIOUS: aliases[CHAMPION]}


def test_without_registration_the_model_is_evaluated_and_its_run_logged(project):
    registered = project / "data/06_models/registered.json"
    client = open_store(project)
    before, aliases = versions(client), deployed(project)
    output = run(
        project, "run", "--pipelines=train", "--params", "packaging.register=false,estimator.kwargs.max_iter=6"
    )
    assert "no version of orders is registered: packaging.register is false" in output
    assert (versions(client), deployed(project)) == (before, aliases)
    report = (project / "data/08_reporting/report.html").read_text(encoding="utf-8")
    assert "This version is not registered, because packaging.register is false." in report
    newest = max(runs(client), key=lambda found: found.info.start_time)
    assert newest.data.params["packaging.register"] == "False"
    assert newest.info.status == "FINISHED"
    assert "accuracy" in newest.data.metrics
    assert json.loads(registered.read_text(encoding="utf-8"))["registered"] is False

    assert "packaging" in dvc(project, "repro")  # it was not up to date
    assert "registered" not in json.loads(registered.read_text(encoding="utf-8"))
    assert CHALLENGER not in deployed(project)
