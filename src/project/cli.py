"""Commands of the project that appear under `kedro`."""

import difflib
import functools
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import click
from kedro.config import MissingConfigException, OmegaConfigLoader
from kedro.framework.cli.project import run as kedro_run
from kedro.framework.startup import ProjectMetadata
from kedro.io import DatasetError
from kedro.validation.exceptions import DataValidationError, ValidationConfigurationError
from omegaconf.errors import OmegaConfBaseException
from pandas.errors import MergeError
from yaml import YAMLError

from .cli_lineage import lineage, reproduce
from .dvc_stages import write_stages
from .hooks import offer_parameters
from .parameters import ParameterError
from .pipeline_registry import TRAIN, register_pipelines

# What a user can put right in the data or in conf/. Anything else is a fault of the code, with its traceback.
_USER_ERRORS = (
    DataValidationError,
    DatasetError,
    MergeError,
    MissingConfigException,
    OmegaConfBaseException,
    ParameterError,
    ValidationConfigurationError,
    YAMLError,
)


@click.group(name="project")
def cli() -> None:
    """Commands of this project."""


def explain(error: BaseException) -> str:
    """What went wrong and what to do, without the frames of a traceback."""
    for cause in _chain(error):
        if isinstance(cause, FileNotFoundError):
            path = Path(cause.filename or str(cause))
            shown = path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path
            return f"{shown} is missing. {_how_to_get(shown)}"
        if isinstance(cause, ParameterError):
            return str(cause)
    return str(error)


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__


def _how_to_get(path: Path) -> str:
    pointer = path.with_name(path.name + ".dvc")
    if pointer.exists():
        return f"Fetch it with: dvc pull {pointer}"
    return "Run the pipeline that makes it first, for example: kedro run --pipeline=train"


def _plainly(command: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(command)
    def guarded(*args: Any, **kwargs: Any) -> Any:
        try:
            return command(*args, **kwargs)
        except _USER_ERRORS as error:
            raise click.ClickException(explain(error)) from error

    return guarded


@cli.group()
def dvc() -> None:
    """Keep dvc.yaml in step with the pipelines."""


@dvc.command()
@click.pass_obj
def sync(metadata: ProjectMetadata) -> None:
    """Write dvc.yaml from the pipelines and the catalog."""
    _dvc_yaml(metadata).write_text(_current_stages(metadata))
    click.echo("dvc.yaml is written; run what has changed with: dvc repro")


@dvc.command()
@click.pass_obj
def check(metadata: ProjectMetadata) -> None:
    """Fail if dvc.yaml is not what `kedro dvc sync` would write, and show the difference."""
    path = _dvc_yaml(metadata)
    kept = path.read_text() if path.exists() else ""
    difference = difflib.unified_diff(
        kept.splitlines(), _current_stages(metadata).splitlines(), "dvc.yaml", "the pipelines", lineterm=""
    )
    lines = list(difference)
    if lines:
        raise click.ClickException("dvc.yaml is stale, run: kedro dvc sync\n" + "\n".join(lines))
    click.echo("dvc.yaml is in step with the pipelines")


def _dvc_yaml(metadata: ProjectMetadata) -> Path:
    return metadata.project_path / "dvc.yaml"


def _current_stages(metadata: ProjectMetadata) -> str:
    # Not through a Kedro session: it would start up MLflow, and take in what conf/local changes.
    loader = OmegaConfigLoader(str(metadata.project_path / "conf"), base_env="base", default_run_env="base")
    offer_parameters(loader["parameters"])
    pipelines = register_pipelines()
    stages = {name: pipelines[name] for name in TRAIN if name in pipelines}
    return write_stages(stages, loader["catalog"], metadata.project_path)


cli.add_command(lineage)
cli.add_command(reproduce)
assert kedro_run.callback is not None
run = click.Command(
    "run", params=kedro_run.params, callback=_plainly(kedro_run.callback), help=kedro_run.help
)
cli.add_command(run)
