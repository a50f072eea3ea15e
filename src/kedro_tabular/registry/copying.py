"""Copy a registered version to another registry: its files, its run, its tags and its lineage.

The version is registered last, when all files are there and have the bytes of the originals. Only the file MLmodel
differs: it names the run and the model.
"""

import logging
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import yaml
from mlflow.artifacts import download_artifacts
from mlflow.entities import LoggedModelStatus, Param, Run, RunStatus, RunTag
from mlflow.entities.model_registry import ModelVersion
from mlflow.exceptions import MlflowException
from mlflow.models.model import MLMODEL_FILE_NAME
from mlflow.tracking import MlflowClient
from mlflow.utils.mlflow_tags import MLFLOW_RUN_NOTE

from ..lineage import connected_to, content_md5, prepare_target
from ..outages import describe_outage, without_password
from .aliases import GATE, PROMOTED, ROLLED_BACK
from .versions import FINGERPRINT, create_model

logger = logging.getLogger(__name__)

COPIED = "copied."  # prefix of the tags that say where a version comes from
_JUDGED = f"{COPIED}{GATE}"  # the verdict of the gate there
_BATCH = 100  # parameters or tags in one request


class CopyError(RuntimeError):
    """A version that can't be copied; the message says why. Nothing is registered."""


def copy_version(version: ModelVersion, source: str, target: str) -> str:
    """Copy a version to another registry, unless it is there. Returns its number there.

    The verdict of the gate becomes the tag `copied.gate`: it does not count in the other registry.

    Args:
        version: the version.
        source: the address of its registry and runs.
        target: the address of the other ones. Where it needs another user, the variables TARGET_TRACKING_USERNAME,
            TARGET_TRACKING_PASSWORD and TARGET_TRACKING_TOKEN name it.

    Raises:
        CopyError: the version has no run, a file is not the same there, or the server there refuses it.
    """
    client, origin = MlflowClient(source, source), f"{without_password(source)} {version.name}/{version.version}"
    try:
        run = client.get_run(str(version.run_id))
    except MlflowException as error:
        raise CopyError(f"the run of {version.name} version {version.version} was deleted") from error
    experiment = client.get_experiment(run.info.experiment_id).name
    with _connected(target) as registry:
        known = registry.find(version, origin)
    if known is not None:
        logger.info("%s version %s is there already", version.name, known)
        return known
    with TemporaryDirectory() as folder:
        of_run = _download(str(run.info.artifact_uri), Path(folder) / "run", source)
        of_model = _download(f"models:/{version.name}/{version.version}", Path(folder) / "model", source)
        with _connected(target) as registry:
            return registry.add(version, run, experiment, origin, of_run, of_model)


@contextmanager
def _connected(target: str) -> Iterator["_Target"]:
    """The other registry, as the user there until the end of the block; its refusals are a CopyError."""
    with connected_to(target):
        try:
            yield _Target(target)
        except MlflowException as error:
            refusal = describe_outage(error)  # while it is known who was refused
            if refusal is None:
                raise
            raise CopyError(refusal) from error


class _Target:
    """The registry that a version is copied to."""

    def __init__(self, uri: str) -> None:
        self._uri, self._location = uri, prepare_target(uri)
        self._client = MlflowClient(uri, uri)

    def add(self, version: ModelVersion, run: Run, experiment: str, origin: str, of_run: Path, of_model: Path) -> str:
        """Add a version with the files of its run and of its model. Returns its number."""
        experiment_id = self._experiment_id(experiment)
        started = self._client.create_run(experiment_id, run.info.start_time, run_name=run.info.run_name)
        run_id = str(started.info.run_id)
        try:
            self._copy_run(run, started, of_run)
            model_id = self._copy_model(run, started, of_model)
        except BaseException:
            self._client.set_terminated(run_id, RunStatus.to_string(RunStatus.FAILED))
            raise
        self._client.set_terminated(run_id, run.info.status, run.info.end_time)
        return self._register(version, origin, run, started, model_id)

    def find(self, version: ModelVersion, origin: str) -> str | None:
        """The number of an earlier copy of a version."""
        found = self._client.search_model_versions(f"name = '{version.name}'")
        same = [one for one in found if one.tags.get(f"{COPIED}from") == origin]
        expected = version.tags.get(FINGERPRINT)
        return next((str(one.version) for one in same if one.tags.get(FINGERPRINT) == expected), None)

    def _experiment_id(self, name: str) -> str:
        known = self._client.get_experiment_by_name(name)
        return str(known.experiment_id if known else self._client.create_experiment(name, self._location))

    def _copy_run(self, run: Run, copy: Run, files: Path) -> None:
        run_id = copy.info.run_id
        tags = {name: value for name, value in run.data.tags.items() if name != "mlflow.log-model.history"}
        if MLFLOW_RUN_NOTE in tags:
            tags[MLFLOW_RUN_NOTE] = _with_links(tags[MLFLOW_RUN_NOTE], run, copy)
        self._client.log_batch(run_id, metrics=run.data._metric_objs)  # no public name has their times
        for batch in _batches([Param(*pair) for pair in run.data.params.items()]):
            self._client.log_batch(run_id, params=batch)
        for batch in _batches([RunTag(*pair) for pair in tags.items()]):
            self._client.log_batch(run_id, tags=batch)
        if run.inputs is not None and run.inputs.dataset_inputs:
            self._client.log_inputs(run_id, run.inputs.dataset_inputs)
        self._client.log_artifacts(run_id, str(files))
        self._verify(files, str(copy.info.artifact_uri))

    def _copy_model(self, run: Run, copy: Run, files: Path) -> str:
        info = copy.info
        model = self._client.create_logged_model(
            info.experiment_id, name="model", source_run_id=info.run_id, params=run.data.params
        )
        _name_ids(files, info.run_id, model.model_id, model.artifact_location)
        self._client.log_model_artifacts(model.model_id, str(files))
        self._verify(files, model.artifact_location)
        self._client.finalize_logged_model(model.model_id, LoggedModelStatus.READY)
        return str(model.model_id)

    def _verify(self, files: Path, uri: str) -> None:
        """Raise CopyError unless the files there have the bytes of these."""
        with TemporaryDirectory() as folder:
            before, after = _md5s(files), _md5s(_download(uri, Path(folder) / "copy", self._uri))
        if before != after:
            different = sorted(name for name in before | after if before.get(name) != after.get(name))
            raise CopyError(f"files that are not the same in {without_password(self._uri)}: {', '.join(different)}")

    def _register(self, version: ModelVersion, origin: str, run: Run, copy: Run, model_id: str) -> str:
        create_model(self._client, str(version.name))
        copied = self._client.create_model_version(
            version.name,
            source=f"models:/{model_id}",
            run_id=str(copy.info.run_id),
            model_id=model_id,
            tags=_tags(version.tags, origin),
            description=_with_links(version.description or "", run, copy),
        )
        return str(copied.version)


def _with_links(description: str, run: Run, copy: Run) -> str:
    """A description whose links lead to the copy of the run."""
    before, after = (f"experiments/{one.info.experiment_id}/runs/{one.info.run_id}" for one in (run, copy))
    return description.replace(before, after)


def _tags(tags: Mapping[str, str], origin: str) -> dict[str, str]:
    """The tags of the copy: without those about promotions there, and with the verdict as one of there."""
    kept = {name: value for name, value in tags.items() if not name.startswith((GATE, PROMOTED, ROLLED_BACK, COPIED))}
    verdict = {_JUDGED: tags[GATE]} if GATE in tags else {}
    return kept | verdict | {f"{COPIED}from": origin, f"{COPIED}at": datetime.now(UTC).isoformat(timespec="seconds")}


def _name_ids(files: Path, run_id: str, model_id: str, location: str) -> None:
    """Let the file MLmodel name the copies: MLflow finds the run and the model by it."""
    file = files / MLMODEL_FILE_NAME
    content = yaml.safe_load(file.read_text(encoding="utf-8"))
    content |= {"run_id": run_id, "model_id": model_id, "model_uuid": model_id, "artifact_path": location}
    file.write_text(yaml.safe_dump(content), encoding="utf-8")


def _download(uri: str, folder: Path, store: str) -> Path:
    """The folder with the files of an address, below a new folder."""
    folder.mkdir()
    return Path(download_artifacts(uri, dst_path=str(folder), tracking_uri=store))


def _md5s(folder: Path) -> dict[str, str]:
    return {str(path.relative_to(folder)): content_md5(path) for path in folder.rglob("*") if path.is_file()}


def _batches(entries: list[Any]) -> Iterator[list[Any]]:
    for first in range(0, len(entries), _BATCH):
        yield entries[first : first + _BATCH]
