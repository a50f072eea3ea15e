"""What the hooks need of Kedro beyond its public names."""

import sys

import pytest
from kedro.framework.hooks import hook_impl
from kedro.framework.session import KedroSession
from kedro.framework.startup import bootstrap_project
from kedro_tabular import lineage

from ..conftest import copy_code


@pytest.mark.usefixtures("parameters")  # there is no context without a table
def test_the_tracking_that_is_added_to_a_run_is_called_by_kedro(tmp_path, monkeypatch):
    calls = []

    class Tracking:
        @hook_impl
        def after_context_created(self, context):
            calls.append("after_context_created")

        @hook_impl
        def after_catalog_created(self, conf_catalog):
            calls.append("after_catalog_created")

    monkeypatch.setattr(lineage, "RunTracking", Tracking, raising=False)
    folder = copy_code(tmp_path / "project")
    monkeypatch.chdir(folder)
    # which Kedro extends
    monkeypatch.setenv("PYTHONPATH", str(folder / "src"))
    monkeypatch.setattr(sys, "path", [*sys.path])
    bootstrap_project(folder)
    with KedroSession.create(folder) as session:
        assert session.load_context().catalog
    assert calls == ["after_context_created", "after_catalog_created"]
