"""What deploy/, Jenkinsfile and the workflows say, checked by the schemas of their formats."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from ...conftest import ROOT
from .settings import DEPLOY, read_settings

COMPOSE = yaml.safe_load((DEPLOY / "compose.yml").read_text())
LOCK = re.compile(r"(?m)^([\w.-]+)==(\S+)")


def check(*command: str | Path) -> None:
    done = subprocess.run(
        [Path(sys.executable).with_name(str(command[0])), *command[1:]], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_manifests_are_valid():
    check("kubernetes-validate", "--strict", *(DEPLOY / "kubernetes").glob("*.yaml"))


def test_the_workflows_are_valid():
    workflows = sorted((ROOT / ".github" / "workflows").glob("*.yml"))
    check("check-jsonschema", "--builtin-schema", "vendor.github-workflows", *workflows)


def test_the_example_of_the_variables_has_no_secret():
    secret = re.compile("PASSWORD|SECRET|_KEY")
    assert not [name for name, value in read_settings().items() if secret.search(name) and value]


def test_an_env_file_has_secrets_of_its_own_and_is_not_overwritten(tmp_path):
    for name in ("make_env.sh", "env.example"):
        shutil.copy(DEPLOY / name, tmp_path)
    command = ["sh", tmp_path / "make_env.sh", "mlflow.acme.org"]
    subprocess.run(command, check=True)
    made = (tmp_path / ".env").read_text()
    values = dict(line.split("=", 1) for line in made.splitlines() if "=" in line and line[0] != "#")
    assert (tmp_path / ".env").stat().st_mode & 0o077 == 0
    assert [name for name, value in values.items() if not value] == ["SERVICE_PASSWORD"]  # users.py makes it
    assert len({values[name] for name in ("PGPASSWORD", "SERVING_API_KEY", "MLFLOW_AUTH_ADMIN_PASSWORD")}) == 3
    assert "mlflow.acme.org" in values["MLFLOW_ALLOWED_HOSTS"]
    assert values["MLFLOW_ORIGINS"] == "https://mlflow.acme.org"
    assert subprocess.run(command, capture_output=True, check=False).returncode == 1
    assert (tmp_path / ".env").read_text() == made


@pytest.mark.parametrize("name", ["https://mlflow.acme.org", "", "a b"])
def test_what_is_no_name_of_a_machine_is_refused(tmp_path, name):
    for file in ("make_env.sh", "env.example"):
        shutil.copy(DEPLOY / file, tmp_path)
    done = subprocess.run(["sh", tmp_path / "make_env.sh", name], capture_output=True, text=True, check=False)
    assert done.returncode != 0
    assert sorted(path.name for path in tmp_path.iterdir()) == ["env.example", "make_env.sh"]


@pytest.mark.parametrize("name", COMPOSE["services"])
def test_a_container_is_pinned_and_listens_on_loopback_unless_told_otherwise(name):
    service = COMPOSE["services"][name]
    if "build" not in service:
        assert re.fullmatch(r"[\w./-]+:v?\d+\.\d+[\w.-]*", service["image"])
    for port in service.get("ports", []):
        assert re.match(r"\$\{\w+:-127\.0\.0\.1:\d+\}:\d+$", port)


def test_each_secret_of_the_containers_must_be_given():
    text = (DEPLOY / "compose.yml").read_text()
    for name in ("PGPASSWORD", "AWS_SECRET_ACCESS_KEY", "SERVING_API_KEY", "PREDICTIONS_PASSWORD"):
        assert not re.search(rf"\$\{{{name}(:?-|\}})", text), f"{name} may be empty"


@pytest.mark.parametrize("lock", [path.relative_to(DEPLOY) for path in sorted(DEPLOY.rglob("*.lock"))], ids=str)
def test_the_packages_of_an_image_are_a_part_of_the_lock(lock):
    locked = dict(LOCK.findall((ROOT / "requirements.lock").read_text()))
    of_image = dict(LOCK.findall((DEPLOY / lock).read_text()))
    assert of_image
    assert {name: version for name, version in of_image.items() if locked.get(name) != version} == {}
    names = [line for line in (DEPLOY / lock).with_suffix(".in").read_text().splitlines() if line[:1] not in ("", "#")]
    assert not {name.partition("[")[0] for name in names} - of_image.keys()
