"""The notebook runs in a trained and monitored project, and is kept without outputs."""

import nbformat
import pytest
from jupyter_client import AsyncKernelManager
from nbclient import NotebookClient

from .conftest import ROOT

NOTEBOOK = ROOT / "notebooks" / "01_explore.ipynb"


@pytest.fixture
def notebook():
    return nbformat.read(NOTEBOOK, as_version=4)


def test_outputs_are_not_kept_in_git(notebook):
    nbformat.validate(notebook)
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    assert [cell.id for cell in code if cell.outputs or cell.execution_count] == []


def test_all_cells_run_from_the_notebooks_folder(notebook, tmp_path, copy_trained, monkeypatch):
    folder = copy_trained(tmp_path / "project")
    (folder / "notebooks").mkdir()
    monkeypatch.setenv("PYTHONPATH", str(folder / "src"))
    # the kernel is spoken to through files, not through ports
    kernel = AsyncKernelManager(transport="ipc", ip=str(tmp_path / "kernel"), kernel_name="python3")
    place = {"metadata": {"path": str(folder / "notebooks")}}
    NotebookClient(notebook, km=kernel, timeout=300, resources=place).execute()
    printed = {
        cell.id: "".join(output.get("text", "") for output in cell.outputs)
        for cell in notebook.cells
        if cell.cell_type == "code"
    }
    assert "flight_delay version 1" in printed["champion"]
    assert "nothing was monitored yet" in printed["verdict"]
    plots = [output for cell in notebook.cells for output in cell.get("outputs", []) if "data" in output]
    assert sum("image/png" in output["data"] for output in plots) >= 3
    assert list((folder / "notebooks").iterdir()) == []  # no store of its own beside the notebook
