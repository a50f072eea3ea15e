"""Which pipelines a run imports. What it was asked for is not public in Kedro: these tests fail if the name changes."""

import os
import subprocess
import sys

import pytest

from ..conftest import copy_code

# Prints which pipelines `kedro run` has imported. The run itself fails, because there are no data.
RUN = """
import sys
from project.__main__ import main
try:
    main()
finally:
    pipelines = {name.split(".")[2] for name in sys.modules if name.startswith("project.pipelines.")}
    print("imported:", *pipelines, *{"mlflow"} & set(sys.modules))
"""


@pytest.mark.usefixtures("parameters")  # there is no run without a table
@pytest.mark.parametrize(("pipeline", "imported"), [("data_prep", {"data_prep"}), ("training", {"training", "mlflow"})])
def test_a_run_of_one_pipeline_imports_no_other_and_mlflow_only_if_it_is_tracked(tmp_path, pipeline, imported):
    folder = copy_code(tmp_path / "project")
    environment = os.environ | {"PYTHONPATH": str(folder / "src")}
    command = [sys.executable, "-c", RUN, f"--pipelines={pipeline}"]
    process = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    printed = process.stdout + process.stderr
    assert "is missing" in printed
    (line,) = (line for line in process.stdout.splitlines() if line.startswith("imported: "))
    assert set(line.split()[1:]) == imported, printed
