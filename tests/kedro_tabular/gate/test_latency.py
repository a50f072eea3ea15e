"""The latency that the gate limits does not depend on other work on the machine."""

import subprocess
import sys
import time

import pytest
from kedro_tabular.gate.latency import measure_latency

from ...conftest import fit_packaged, make_table

BUSY = "import time\nuntil = time.time() + 60\nwhile time.time() < until: sum(range(1000))"


@pytest.fixture
def other_work():
    """Six busy processes."""
    processes = [subprocess.Popen([sys.executable, "-c", BUSY]) for _ in range(6)]
    yield
    for process in processes:
        process.kill()
        process.wait()


def test_the_latency_is_that_of_one_row():
    def sleep(row):
        assert len(row) == 1
        time.sleep(0.003)

    assert measure_latency(sleep, make_table(5)) == pytest.approx(3.2, abs=1.5)


@pytest.mark.slow
def test_other_work_on_the_machine_does_not_count(request):
    model, table = fit_packaged("binary"), make_table(50)
    alone = measure_latency(model.predict, table)
    request.getfixturevalue("other_work")
    assert measure_latency(model.predict, table) < 3 * alone
