"""kedro-mlflow's hook, with what a run needs to be found again: its data, code and environment by content."""

import json
import logging
import os
import re
import socket
from contextlib import nullcontext
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import mlflow
import psutil
from filelock import FileLock
from kedro.framework.context import KedroContext
from kedro.framework.hooks import hook_impl
from kedro.io import CatalogProtocol
from kedro.pipeline import Pipeline
from kedro.pipeline.node import Node
from kedro_mlflow.framework.hooks.mlflow_hook import MlflowHook
from kedro_mlflow.framework.hooks.utils import _flatten_dict
from mlflow.data.dataset_source_registry import resolve_dataset_source
from mlflow.data.meta_dataset import MetaDataset
from mlflow.entities import RunStatus
from mlflow.tracking import MlflowClient

from . import provenance
from .catalog import Catalog
from .relocation import follow_artifacts, store_file

logger = logging.getLogger(__name__)
logging.getLogger("kedro_mlflow").setLevel(logging.WARNING)  # it sets INFO for itself when imported

MODEL = "model"  # the dataset whose content tells which run a later stage continues
PARAMETERS = "parameters.json"  # the artifact that holds the parameters with their types
UNCOMMITTED = "uncommitted/{}.diff"  # the artifact that holds what was not committed, by its md5
_PROCESS = "process"


class RunTracking(MlflowHook):
    """One MLflow run for one model, from whatever processes its stages run in.

    Differs from kedro-mlflow's hook in that it
    - logs the parameters of a run at its start, in one transaction and not one for each node and parameter;
    - continues, in a run that is handed a trained model, the run that trained it;
    - closes runs of this machine whose process was killed;
    - tags the run with the md5 of each file read and written, the code and the environment, and logs the
      tables as its dataset inputs.
    """

    @hook_impl
    def after_context_created(self, context: KedroContext) -> None:
        """Set MLflow up, and close what killed processes have left open."""
        self._project = Path(context.project_path)
        settings = context.config_loader["mlflow"]
        uri = settings["server"]["mlflow_tracking_uri"]
        created = settings["tracking"]["experiment"].get("create_experiment_kwargs", {})
        store = store_file(self._project, uri)
        # MLflow makes the tables of a new store, and kedro-mlflow its experiment, without looking whether
        # another process is at it.
        with FileLock(f"{store}.lock") if store else nullcontext():
            follow_artifacts(self._project, uri, created.get("artifact_location"))
            super().after_context_created(context)
        close_killed_runs(self._experiment_id)

    @hook_impl
    def after_catalog_created(self, conf_catalog: dict[str, Any]) -> None:
        """Learn where datasets live.

        Unlike kedro-mlflow's hook, it does not build every dataset to give metrics the dataset's name as a
        prefix: that imports the libraries of all stages into each.
        """
        self._catalog = Catalog(conf_catalog)
        data = [name for name in conf_catalog if self._catalog.is_data(name)]
        self._names = {self._path(name): name for name in data}

    @hook_impl
    def before_pipeline_run(self, run_params: dict[str, Any], pipeline: Pipeline, catalog: CatalogProtocol) -> None:
        """Start a run, or continue the one of the model at hand, and log what it starts from."""
        inputs = self._catalog.contents(self._project, pipeline.inputs())
        paths = {str(self._path(name)): md5 for name, md5 in inputs.items()}
        earlier = provenance.ancestors(paths, self._project)
        taken = sorted(name for name in pipeline.inputs() if name.startswith("params:"))
        values = earlier.parameters | {name.removeprefix("params:"): catalog.load(name) for name in taken}
        parameters = {_as_key(name): value for name, value in _flatten_dict(values).items()}
        if MODEL in inputs:
            self.mlflow_config.tracking.run.id = self._run_to_continue(inputs[MODEL], parameters)
        super().before_pipeline_run(run_params, pipeline, catalog)
        if self._is_mlflow_enabled:
            mlflow.log_params(parameters)
            # not log_dict, which sorts keys: the order of the columns is the order of the features
            mlflow.log_text(json.dumps(values, indent=2), PARAMETERS)
            code = provenance.describe_code(self._project)
            lock = self._project / "requirements.lock"
            mlflow.set_tags(code.tags | provenance.describe_environment(lock) | {_PROCESS: _this_process()})
            if code.diff:
                _log_bytes(code.diff, UNCOMMITTED.format(code.tags[provenance.GIT + "diff"]))
            known = {self._names[path]: md5 for path, md5 in earlier.files.items() if path in self._names}
            self._log_data(known | inputs)

    @hook_impl
    def before_node_run(self, node: Node, catalog: CatalogProtocol, inputs: dict[str, Any], is_async: bool) -> None:
        """Resume the run in a thread that does not have it yet."""
        if mlflow.active_run() is None:
            super().before_node_run(node, catalog, inputs, is_async)

    @hook_impl
    def after_dataset_saved(self, dataset_name: str) -> None:
        """Log the content of a file that the run wrote."""
        if self._is_mlflow_enabled:
            self._log_data(self._catalog.contents(self._project, [dataset_name]))

    def _log_param(self, name: str, value: Any) -> None:
        """Nothing: it is logged since the start of the run."""

    @property
    def _experiment_id(self) -> str:
        return str(self.mlflow_config.tracking.experiment._experiment.experiment_id)

    def _run_to_continue(self, model_md5: str, parameters: dict[str, Any]) -> str | None:
        """The newest run with this model, unless it has other values of parameters: they can never change."""
        tag = f"tags.`{provenance.DATA}{MODEL}` = '{model_md5}'"
        newest = ["attributes.start_time DESC"]
        for run in MlflowClient().search_runs([self._experiment_id], tag, order_by=newest, max_results=1):
            known = run.data.params
            if all(known.get(name, str(value)) == str(value) for name, value in parameters.items()):
                return str(run.info.run_id)
        return None

    def _path(self, name: str) -> str | None:
        return self._catalog.path_in(self._project, name)

    def _log_data(self, md5_by_name: dict[str, str]) -> None:
        if not md5_by_name:
            return
        mlflow.set_tags({provenance.DATA + name: md5 for name, md5 in md5_by_name.items()})
        tables = [name for name in sorted(md5_by_name) if self._catalog.is_table(name)]
        for name in tables:
            address = provenance.remote_address(str(self._path(name)), md5_by_name[name], self._project)
            source = resolve_dataset_source(address)
            dataset = MetaDataset(source, name=name, digest=md5_by_name[name])  # type: ignore[abstract]
            mlflow.log_input(dataset, context=name)


def _as_key(name: str) -> str:
    """The name of a parameter as MLflow takes it; some hold the names of columns, which may be anything."""
    return re.sub(r"[^\w.\- ]", "_", name)


def _log_bytes(content: bytes, artifact: str) -> None:
    place = Path(artifact)
    with TemporaryDirectory() as folder:
        path = Path(folder) / place.name
        path.write_bytes(content)
        mlflow.log_artifact(str(path), str(place.parent))


def close_killed_runs(experiment_id: str) -> None:
    """End, as KILLED, the runs of this machine that say they run but whose process is gone."""
    client = MlflowClient()
    running = f"attributes.status = 'RUNNING' and tags.{_PROCESS} LIKE '{socket.gethostname()} %'"
    for run in client.search_runs([experiment_id], running):
        _, pid, started = run.data.tags[_PROCESS].rsplit(" ", 2)
        if not _is_alive(int(pid), float(started)):
            client.set_terminated(run.info.run_id, RunStatus.to_string(RunStatus.KILLED))
            logger.warning("run %s was killed before its end and is closed", run.info.run_id)


def _this_process() -> str:
    # A process id is given away again later; with the time of its start it names one process for good.
    return f"{socket.gethostname()} {os.getpid()} {psutil.Process().create_time()}"


def _is_alive(pid: int, started: float) -> bool:
    try:
        return abs(psutil.Process(pid).create_time() - started) < 1
    except psutil.NoSuchProcess:
        return False
