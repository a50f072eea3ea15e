"""A few kills of each kind of command; benchmarks/kill.py does more of them."""

import subprocess
import sys

import pytest

from ..conftest import ROOT

pytestmark = pytest.mark.slow


def test_killed_at_random_moments_commands_leave_a_project_that_works(tmp_path):
    script = [sys.executable, str(ROOT / "benchmarks" / "kill.py"), "5", "--project", str(tmp_path / "project")]
    done = subprocess.run(script, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert '{"kills": 5, "faults": 0' in done.stdout
