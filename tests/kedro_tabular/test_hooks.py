"""What the hooks need of Kedro beyond its public names."""

import sys

import pytest
from kedro.framework.hooks import hook_impl
from kedro.framework.session import KedroSession
from kedro.framework.startup import bootstrap_project
from kedro_tabular import lineage
from kedro_tabular.config import ConfigLoader, read_conf
from omegaconf import OmegaConf
from omegaconf.errors import UnsupportedInterpolationType

from project.settings import CONFIG_LOADER_ARGS

from ..conftest import copy_code, run_kedro


class NoHooks:
    """What `kedro viz run` has in the place of the hooks: it calls none (kedro_viz.integrations.utils)."""

    def __getattr__(self, name):
        return self

    def __call__(self, *args, **kwargs):
        pass


@pytest.fixture
def project(tmp_path, monkeypatch):
    """A project that is set up as Kedro's commands do it."""
    folder = copy_code(tmp_path / "project")
    monkeypatch.chdir(folder)
    # which Kedro extends
    monkeypatch.setenv("PYTHONPATH", str(folder / "src"))
    monkeypatch.setattr(sys, "path", [*sys.path])
    OmegaConf.clear_resolver("params")  # of another test
    bootstrap_project(folder)
    return folder


@pytest.mark.usefixtures("parameters")  # there is no context without a table
def test_the_catalog_is_read_without_hooks_as_kedro_viz_does(project, parameters):
    """kedro_viz.integrations.kedro.data_loader, whose own libraries are not those of the lock file."""
    session = KedroSession.create(project_path=project, save_on_close=False, env=None, runtime_params=None)
    with session:
        session._hook_manager = NoHooks()
        catalog = session.load_context().catalog
    assert parameters["table"]["name"] in str(catalog["champion"])


def test_each_loader_uses_its_own_parameters_whichever_was_made_last(project, parameters):
    """Those of its environment, and those of the command."""
    name = parameters["table"]["name"]
    other = project / "conf" / "other"
    other.mkdir()
    (other / "parameters.yml").write_text("table: {name: other}")
    loaders = {
        name: read_conf(project, "base"),
        "other": read_conf(project, "other"),
        "given": ConfigLoader("conf", **CONFIG_LOADER_ARGS, runtime_params={"table": {"name": "given"}}),
    }
    for _ in range(2):
        for expected, loader in loaders.items():
            assert loader["catalog"]["champion"]["name"] == expected
    loaders["other"]["parameters"] = {"table": {"name": "set"}, "alerts": {}, "serving": {"log": {}}}
    assert loaders["other"]["mlflow"]["tracking"]["experiment"]["name"] == "set"


def test_parameters_refer_to_each_other_without_a_resolver(project, parameters):
    (project / "conf" / "local" / "parameters.yml").write_text("own: ${params:seed}")
    with pytest.raises(UnsupportedInterpolationType, match="params"):
        read_conf(project)["catalog"]


@pytest.mark.usefixtures("parameters")
def test_settings_of_an_earlier_release_work_with_kedros_own_loader(project):
    settings = project / "src" / "project" / "settings.py"
    text = settings.read_text()
    assert "CONFIG_LOADER_CLASS = ConfigLoader\n" in text
    settings.write_text(text.replace("CONFIG_LOADER_CLASS = ConfigLoader\n", ""))
    done = run_kedro(project, "run", "--pipelines=data_prep")
    assert "is missing" in done.stderr, done.stdout + done.stderr


@pytest.mark.usefixtures("parameters")  # there is no context without a table
def test_the_tracking_that_is_added_to_a_run_is_called_by_kedro(project, monkeypatch):
    calls = []

    class Tracking:
        @hook_impl
        def after_context_created(self, context):
            calls.append("after_context_created")

        @hook_impl
        def after_catalog_created(self, conf_catalog):
            calls.append("after_catalog_created")

    monkeypatch.setattr(lineage, "RunTracking", Tracking, raising=False)
    with KedroSession.create(project) as session:
        assert session.load_context().catalog
    assert calls == ["after_context_created", "after_catalog_created"]
