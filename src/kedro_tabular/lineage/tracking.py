"""kedro-mlflow's hook, extended by what identifies a run: its data, code and environment by content."""

import io
import json
import logging
import os
import re
import socket
from contextlib import nullcontext
from pathlib import Path
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
from mlflow.data.dataset_source_registry import resolve_dataset_source
from mlflow.data.meta_dataset import MetaDataset
from mlflow.entities import RunStatus
from mlflow.tracking import MlflowClient

from ..parameters import flatten
from .catalog import Catalog
from .provenance import DATA, GIT, describe_code, describe_environment, read_upstream, remote_uri
from .relocation import relocate_artifacts, store_file

logger = logging.getLogger(__name__)
logging.getLogger("kedro_mlflow").setLevel(logging.WARNING)  # it sets INFO for itself when imported

MODEL = "model"  # the dataset whose md5 identifies the run that a later stage continues
PARAMETERS = "parameters.json"  # the artifact with the parameters, typed
UNCOMMITTED = "uncommitted/{}.diff"  # the artifact with the uncommitted changes, by its md5
_PROCESS = "process"


class RunTracking(MlflowHook):
    """One MLflow run for each model, whatever number of processes its stages run in.

    Differs from kedro-mlflow's hook in that it
    - logs the parameters at the start of the run, in one transaction and not one for each node and parameter;
    - continues, if the pipeline reads a trained model, the run that trained it;
    - ends the runs of this machine whose process was killed;
    - tags the run with the md5 of each file read and written, the code and the environment, and logs the
      tables as its dataset inputs.
    """

    @hook_impl
    def after_context_created(self, context: KedroContext) -> None:
        """Set MLflow up, and end the runs that killed processes have left open."""
        self._project = Path(context.project_path)
        settings = context.config_loader["mlflow"]
        uri = settings["server"]["mlflow_tracking_uri"]
        experiment = settings["tracking"]["experiment"].get("create_experiment_kwargs", {})
        store = store_file(self._project, uri)
        # MLflow creates the tables of a new store, and kedro-mlflow its experiment, without regard for other processes.
        with FileLock(f"{store}.lock") if store else nullcontext():
            relocate_artifacts(self._project, uri, experiment.get("artifact_location"))
            super().after_context_created(context)
        tracked = MlflowClient().get_experiment_by_name(self.mlflow_config.tracking.experiment.name)
        assert tracked is not None  # kedro-mlflow creates it
        self._experiment_id = str(tracked.experiment_id)
        end_killed_runs(self._experiment_id)

    @hook_impl
    def after_catalog_created(self, conf_catalog: dict[str, Any]) -> None:
        """Read where datasets are stored.

        Unlike kedro-mlflow's hook, it does not build every dataset to prefix metrics with the dataset's name: that
        would import the libraries of all stages into each.
        """
        self._catalog = Catalog(conf_catalog)
        self._names = {self._path(name): name for name in conf_catalog if self._catalog.is_traced(name)}

    @hook_impl
    def before_pipeline_run(self, run_params: dict[str, Any], pipeline: Pipeline, catalog: CatalogProtocol) -> None:
        """Start a run, or continue that of the model which is read, and log what it starts from."""
        inputs = self._catalog.content_md5s(self._project, pipeline.inputs())
        upstream = read_upstream({str(self._path(name)): md5 for name, md5 in inputs.items()}, self._project)
        keys = sorted(name for name in pipeline.inputs() if name.startswith("params:"))
        values = upstream.parameters | {key.removeprefix("params:"): catalog.load(key) for key in keys}
        parameters = {_param_name(key): value for key, value in flatten(values).items() if value != {}}
        if MODEL in inputs:
            self.mlflow_config.tracking.run.id = self._run_to_continue(inputs[MODEL], parameters)
        super().before_pipeline_run(run_params, pipeline, catalog)
        if self._is_mlflow_enabled:
            mlflow.log_params(parameters)
            # not log_dict, which sorts keys: the order of the columns is the order of the features
            mlflow.log_text(json.dumps(values, indent=2), PARAMETERS)
            code = describe_code(self._project)
            environment = describe_environment(self._project / "requirements.lock")
            mlflow.set_tags(code.tags | environment | {_PROCESS: _this_process()})
            if code.diff:
                mlflow.log_stream(io.BytesIO(code.diff), UNCOMMITTED.format(code.tags[GIT + "diff"]))
            known = {self._names[path]: md5 for path, md5 in upstream.files.items() if path in self._names}
            self._log_data(known | inputs)

    @hook_impl
    def before_node_run(self, node: Node, catalog: CatalogProtocol, inputs: dict[str, Any], is_async: bool) -> None:
        """Resume the run in a thread that has no active run. Parameters were logged at its start."""
        if self.run_id is not None and mlflow.active_run() is None:
            mlflow.start_run(self.run_id)

    @hook_impl
    def after_dataset_saved(self, dataset_name: str) -> None:
        """Log the content of a file that the run wrote."""
        if self._is_mlflow_enabled:
            self._log_data(self._catalog.content_md5s(self._project, [dataset_name]))

    def _run_to_continue(self, model_md5: str, parameters: dict[str, Any]) -> str | None:
        """The newest run with this model, unless its parameters have other values, which can't be changed."""
        tag = f"tags.`{DATA}{MODEL}` = '{model_md5}'"
        newest = ["attributes.start_time DESC"]
        for run in MlflowClient().search_runs([self._experiment_id], tag, order_by=newest, max_results=1):
            known = run.data.params
            if all(known.get(name, str(value)) == str(value) for name, value in parameters.items()):
                return str(run.info.run_id)
        return None

    def _path(self, name: str) -> str | None:
        return self._catalog.relative_path(self._project, name)

    def _log_data(self, md5s: dict[str, str]) -> None:
        """Tag the run with the md5 of each dataset, and log tables as its dataset inputs."""
        if md5s:
            mlflow.set_tags({DATA + name: md5 for name, md5 in md5s.items()})
        for name in sorted(filter(self._catalog.is_table, md5s)):
            source = resolve_dataset_source(remote_uri(str(self._path(name)), md5s[name], self._project))
            dataset = MetaDataset(source, name=name, digest=md5s[name])  # type: ignore[abstract]
            mlflow.log_input(dataset, context=name)


def _param_name(key: str) -> str:
    """A valid name of an MLflow parameter; some keys contain names of columns, which may have any characters."""
    return re.sub(r"[^\w.\- ]", "_", key)


def end_killed_runs(experiment_id: str) -> None:
    """End, as KILLED, the runs of this machine that are recorded as running but whose process has ended."""
    client = MlflowClient()
    running = f"attributes.status = 'RUNNING' and tags.{_PROCESS} LIKE '{socket.gethostname()} %'"
    for run in client.search_runs([experiment_id], running):
        _, pid, started = run.data.tags[_PROCESS].rsplit(" ", 2)
        if not _is_alive(int(pid), float(started)):
            client.set_terminated(run.info.run_id, RunStatus.to_string(RunStatus.KILLED))
            logger.warning("run %s was killed and is now ended", run.info.run_id)


def _this_process() -> str:
    # Process ids are reused; together with its start time, an id identifies one process for good.
    return f"{socket.gethostname()} {os.getpid()} {psutil.Process().create_time()}"


def _is_alive(pid: int, started: float) -> bool:
    try:
        return abs(psutil.Process(pid).create_time() - started) < 1
    except psutil.NoSuchProcess:
        return False
