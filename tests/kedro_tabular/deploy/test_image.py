"""The image of the service, built by deploy/Containerfile on a base that is made from Debian's packages."""

import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pandas as pd
import pytest
import requests
from mlflow.tracking import MlflowClient

from ...conftest import ROOT
from ...processes import free_port, running
from ...sample.conftest import copy_project, copy_trained  # noqa: F401
from .deployed import Clone, Team

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("connected")]

TOOLS = ("buildah", "debootstrap")
NEEDED = ["deploy", "conf", "src", "pyproject.toml", "README.md", ".telemetry", ".dockerignore"]
BASE_PACKAGES = "python3,python3-venv,ca-certificates"
MAX_ADDED = 480  # MB


def need_tools() -> None:
    missing = [tool for tool in TOOLS if shutil.which(tool) is None]
    if missing or os.geteuid() != 0:
        pytest.skip(f"building an image without an engine needs root and Debian's {', '.join(TOOLS)}")


class Builder:
    """buildah with storage of its own."""

    def __init__(self, folder: Path) -> None:
        self._options = ["--root", str(folder / "images"), "--runroot", str(folder / "run")]

    def __call__(self, *arguments: str | Path) -> str:
        environment = os.environ | {"BUILDAH_ISOLATION": "chroot", "STORAGE_DRIVER": "vfs"}
        done = subprocess.run(self.command(*arguments), env=environment, capture_output=True, text=True, check=False)
        assert done.returncode == 0, (done.stdout + done.stderr)[-5000:]
        return done.stdout.strip()

    def command(self, *arguments: str | Path) -> list[str]:
        return ["buildah", *self._options, *map(str, arguments)]

    def size(self, image: str) -> float:
        """The size of an image in MB."""
        return float(self("inspect", "--type", "image", "--format", "{{.Docker.Size}}", image) or 0) / 1e6


def base_name() -> str:
    """The image that the Containerfile starts from."""
    lines = (ROOT / "deploy" / "Containerfile").read_text().splitlines()
    return next(line.partition("=")[2] for line in lines if line.startswith("ARG PYTHON="))


def mirror() -> list[str]:
    """The mirror of Debian that this machine's packages come from; none for the usual one."""
    sources = [Path("/etc/apt/sources.list"), *Path("/etc/apt/sources.list.d").glob("debian*")]
    lines = [line for path in sources if path.is_file() for line in path.read_text().splitlines()]
    words = [word for line in lines if not line.startswith("#") for word in line.split()]
    return [word for word in words if word.startswith("http")][:1]


def pip_settings() -> list[str]:
    """The options that give a build step this machine's settings of pip, with the certificates that it trusts."""
    paths = [Path("/etc/pip.conf"), Path(os.environ.get("PIP_CERT", "/none"))]
    return [f"--volume={path}:{path}:ro" for path in paths if path.is_file()]


@pytest.fixture(scope="module")
def builder(tmp_path_factory: pytest.TempPathFactory) -> Builder:
    """buildah, with an image of the base's name made from Debian's packages."""
    need_tools()
    folder = tmp_path_factory.mktemp("images")
    root = folder / "root"
    command = ["debootstrap", "--variant=minbase", f"--include={BASE_PACKAGES}", "bookworm", root, *mirror()]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-2000:]
    (root / "usr" / "bin" / "python").symlink_to("python3")
    build = Builder(folder)
    container = build("from", "scratch")
    build("add", "--quiet", container, root, "/")
    build("commit", "--quiet", "--rm", container, base_name())
    shutil.rmtree(root)
    return build


@pytest.fixture(scope="module")
def project(tmp_path_factory, copy_trained: Callable[[Path], Path]) -> Path:  # noqa: F811
    """A project on a part of the sample, which has a champion in a store of its own."""
    folder = copy_trained(tmp_path_factory.mktemp("sample") / "project")
    for name in NEEDED:
        if not (folder / name).exists():
            copy = shutil.copytree if (ROOT / name).is_dir() else shutil.copy
            copy(ROOT / name, folder / name)
    shutil.copy(ROOT / "data" / "README.md", folder / "data")
    return folder


@pytest.fixture(scope="module")
def image(builder: Builder, project: Path) -> str:
    """The image of the service."""
    options = ["--pull-never", *pip_settings(), f"--build-arg=PIP_CERT={os.environ.get('PIP_CERT', '')}"]
    file = project / "deploy" / "Containerfile"
    builder("build", *options, "--file", file, "--target", "service", "--tag", "service", project)
    return "service"


@contextmanager
def container(builder: Builder, image: str) -> Iterator[str]:
    name = builder("from", "--pull-never", image)
    try:
        yield name
    finally:
        builder("rm", name)


def test_the_service_in_the_image_answers_with_the_samples_champion(builder, image, project, team: Team, tmp_path):
    promoter = Clone.of(project, team, "promoter")
    promoter.environment["KEDRO_ENV"] = "local"  # the store of the project's folder
    promoter.succeed("models", "copy", "champion", "--to", team.servers.url)
    (model,) = MlflowClient().search_registered_models()
    MlflowClient().set_registered_model_alias(model.name, "champion", "1")
    rows = (
        pd.read_parquet(project / "data" / "03_primary" / "test.parquet")
        .head(3)
        .to_json(orient="records", date_format="iso")
    )
    port, key = free_port(), "of-the-tests-5-0123456789"
    variables = {
        "MLFLOW_TRACKING_URI": team.servers.url,
        "MLFLOW_TRACKING_USERNAME": "reader",
        "MLFLOW_TRACKING_PASSWORD": team.passwords["reader"],
        "SERVING_API_KEY": key,
        "PGHOST": "127.0.0.1",
        "PGUSER": "predictions",
        "PGDATABASE": "predictions",
    }
    with container(builder, image) as name, team.servers.postgres.forwarded() as database:
        variables["PGPORT"] = str(database)
        options = ["--isolation=chroot", *(f"--env={variable}={value}" for variable, value in variables.items())]
        command = builder.command("run", *options, name, "kedro", "serve", "--host=127.0.0.1", f"--port={port}")
        url = f"http://127.0.0.1:{port}"
        environment = {"STORAGE_DRIVER": "vfs"}
        with running(command, tmp_path / "service.log", f"{url}/ready", env=environment):
            headers = {"Content-Type": "application/json"}
            body = f'{{"records": {rows}}}'
            assert requests.post(f"{url}/predict", body, headers=headers, timeout=60).status_code == 401
            headers["Authorization"] = f"Bearer {key}"
            answer = requests.post(f"{url}/predict", body, headers=headers, timeout=60)
            assert answer.ok, answer.text
            assert {row["source"] for row in answer.json()["predictions"]} == {"model"}
            assert answer.json()["version"] == "1"


def test_what_the_image_adds_is_small_and_its_user_can_change_nothing(builder, image):
    assert builder.size(image) - builder.size(base_name()) < MAX_ADDED
    with container(builder, image) as name:
        assert builder("run", "--isolation=chroot", name, "id", "-u") == "10001"
        for path in ("/app/new", "/venv/new", "/app/conf/new"):
            builder("run", "--isolation=chroot", name, "sh", "-c", f"! touch {path}")
