"""`kedro gate`: an exit code for CI."""

import json

import pytest

from ...conftest import copy_code, invoke


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    folder = copy_code(tmp_path_factory.mktemp("gate"))
    (folder / "data" / "08_reporting").mkdir(parents=True)
    return folder


def write(project, verdict, **rules):
    listed = [{"rule": name, "passed": why is None, "why": why or "good"} for name, why in rules.items()]
    content = {"verdict": verdict, "champion": "3", "rules": listed}
    (project / "data" / "08_reporting" / "gate.json").write_text(json.dumps(content))


def test_without_a_verdict_it_says_what_makes_one(project):
    done = invoke(project, "gate")
    assert done.exit_code == 1
    assert "gate.json is missing: kedro run --pipelines=packaging" in done.output


def test_a_model_that_passed_is_no_error(project):
    write(project, "passed", size=None)
    done = invoke(project, "gate", "--markdown")
    assert done.exit_code == 0
    assert done.output.splitlines()[2:] == [
        "| size | passed | good |",
        "The model passed the gate, compared with version 3.",
    ]


def test_the_last_lines_are_the_reasons_of_a_refusal(project):
    write(project, "refused", size=None, champion="worse by 0.2", latency="too slow")
    done = invoke(project, "gate")
    assert done.exit_code == 1
    assert done.output.splitlines()[-2:] == ["- champion: worse by 0.2", "- latency: too slow"]
