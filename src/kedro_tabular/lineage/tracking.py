"""kedro-mlflow's hook, extended by what identifies a run: its data, code and environment by content."""

import io
import json
import logging
import re
from contextlib import suppress
from itertools import chain
from pathlib import Path
from typing import Any

import mlflow
from kedro.config import MissingConfigException
from kedro.framework.context import KedroContext
from kedro.framework.hooks import hook_impl
from kedro.io import CatalogProtocol
from kedro.pipeline import Pipeline
from kedro.pipeline.node import Node
from kedro_mlflow.framework.hooks.mlflow_hook import MlflowHook
from mlflow.tracking import MlflowClient

from ..config import conf_layers, current_model, read_conf
from ..kedro_project import TRAIN
from ..outages import describe_outage
from ..parameters import flatten
from .artifact_location import check_artifact_location
from .catalog import Catalog
from .code_state import Archive, Lineage, describe_code
from .conf_keys import class_names, conf_files
from .connection import locate, prepared_store
from .dataset_inputs import log_table
from .environment import LOCK, describe_environment, find_unlocked
from .modules import defining_module, import_closure, project_modules
from .processes import end_killed_runs
from .provenance import DATA, GIT, read_upstream
from .relocation import with_absolute_paths
from .remotes import main_project, remote_uri
from .run_context import tag_runs_with_process

logger = logging.getLogger(__name__)
logging.getLogger("kedro_mlflow").setLevel(logging.WARNING)  # it sets INFO for itself when imported

MODEL = "model"  # the dataset whose md5 identifies the run that a later stage continues
PARAMETERS = "parameters.json"  # the artifact with the parameters, typed
UNCOMMITTED = "uncommitted/{}.diff"  # the artifact with the uncommitted changes, by its md5
_LISTED = 5  # libraries in the warning
_NOT_LOCKED = (
    "the environment is not that of %s: %s. A version that is trained with it can't be reproduced from the lock file. "
    "Add the libraries to pyproject.toml, then run `make lock` and `make install`"
)


class RunTracking(MlflowHook):
    """One MLflow run for each model, whatever number of processes its stages run in.

    Differs from kedro-mlflow's hook in that it
    - logs the parameters at the start of the run, in one transaction and not one for each node and parameter;
    - continues, if the pipeline reads a trained model, the run that trained it;
    - ends the runs of this machine whose process was killed;
    - tags the run with the md5 of each file read and written, the code and the environment, and logs the
      tables as its dataset inputs;
    - logs an experiment that DVC runs in a temporary folder to the store of the project.
    """

    @hook_impl
    def after_context_created(self, context: KedroContext) -> None:
        """Set MLflow up, and end the runs that killed processes have left open."""
        self._project, self._environment = Path(context.project_path), context.env
        self._main = main_project(self._project)
        self._settings = self._read_settings(context)
        with prepared_store(self._settings, self._main):
            super().after_context_created(context)
        tracked = MlflowClient().get_experiment_by_name(self.mlflow_config.tracking.experiment.name)
        assert tracked is not None  # kedro-mlflow creates it
        self._experiment, self._experiment_id = tracked, str(tracked.experiment_id)
        end_killed_runs(self._experiment_id)

    @hook_impl
    def after_catalog_created(self, conf_catalog: dict[str, Any], parameters: dict[str, Any]) -> None:
        """Read where datasets are stored, and the parameters.

        Unlike kedro-mlflow's hook, it does not build every dataset to prefix metrics with the dataset's name: that
        would import the libraries of all stages into each.
        """
        self._catalog, self._parameters = Catalog(conf_catalog), parameters["parameters"]
        self._datasets = list(conf_catalog)
        self._names = {self._path(name): name for name in conf_catalog if self._catalog.is_traced(name)}

    @hook_impl
    def before_pipeline_run(self, run_params: dict[str, Any], pipeline: Pipeline, catalog: CatalogProtocol) -> None:
        """Start a run, or continue that of the model which is read, and log what it starts from."""
        arguments = self._settings["tracking"]["experiment"]["create_experiment_kwargs"]
        uri = self._settings["server"]["mlflow_tracking_uri"]
        check_artifact_location(self._experiment, uri, arguments["artifact_location"])
        inputs = self._catalog.content_md5s(self._project, pipeline.inputs())
        read = {str(self._path(name)): md5 for name, md5 in inputs.items()}
        upstream = read_upstream(read, self._project, current_model())
        keys = sorted(name for name in pipeline.inputs() if name.startswith("params:"))
        values = _resolve(upstream.parameters, catalog)
        values |= {key.removeprefix("params:"): catalog.load(key) for key in keys}
        parameters = {_param_name(key): value for key, value in flatten(values).items() if value != {}}
        if MODEL in inputs:
            self.mlflow_config.tracking.run.id = self._run_to_continue(inputs[MODEL], parameters)
        code = describe_code(self._project, self._archive(), self._find_sources)
        run = self.mlflow_config.tracking.run
        tag_runs_with_process()
        run.name = run.name or self._run_name(run_params, code.tags[GIT + "commit"])
        super().before_pipeline_run(run_params, pipeline, catalog)
        if self._is_mlflow_enabled:
            mlflow.log_params(parameters)
            # not log_dict, which sorts keys: the order of the columns is the order of the features
            mlflow.log_text(json.dumps(values, indent=2), PARAMETERS)
            unlocked = find_unlocked(self._project, class_names(self._parameters))
            mlflow.set_tags(code.tags | describe_environment(self._project, unlocked))
            if unlocked and MODEL in pipeline.all_outputs():
                more = f" and {len(unlocked) - _LISTED} more" if len(unlocked) > _LISTED else ""
                logger.warning(_NOT_LOCKED, LOCK, ", ".join(map(str, unlocked[:_LISTED])) + more)
            if code.diff:
                mlflow.log_stream(io.BytesIO(code.diff), UNCOMMITTED.format(code.tags[GIT + "diff"]))
            known = {self._names[path]: md5 for path, md5 in upstream.files.items() if path in self._names}
            self._log_data(known | inputs)

    @hook_impl
    def before_node_run(self, node: Node, catalog: CatalogProtocol, inputs: dict[str, Any], is_async: bool) -> None:
        """Resume the run in a thread that has no active run. Parameters were logged at its start."""
        self.before_dataset_loaded()

    @hook_impl
    def before_dataset_loaded(self) -> None:
        """Resume the run in a thread that has no active run: a dataset may read it."""
        if self.run_id is not None and mlflow.active_run() is None:
            mlflow.start_run(self.run_id)

    @hook_impl
    def after_dataset_saved(self, dataset_name: str) -> None:
        """Log the content of a file that the run wrote."""
        if self._is_mlflow_enabled:
            self._log_data(self._catalog.content_md5s(self._project, [dataset_name]))

    @hook_impl
    def on_pipeline_error(
        self, error: Exception, run_params: dict[str, Any], pipeline: Pipeline, catalog: CatalogProtocol
    ) -> None:
        """End the run as failed. Where that fails, too, the error of the pipeline is the one to report."""
        try:
            super().on_pipeline_error(error, run_params, pipeline, catalog)
        except Exception as failure:  # the disk is full, or the server does not answer
            cause = describe_outage(failure) or failure
            logger.warning("the failed run could not be ended; the next run does it: %s", cause)

    def _run_name(self, run_params: dict[str, Any], commit: str) -> str:
        """The model, the pipelines and the commit."""
        pipelines = run_params.get("pipeline_names") or [run_params.get("pipeline_name") or TRAIN]
        return f"{self._experiment.name} {'+'.join(pipelines)} {commit[:8]}"

    def _read_settings(self, context: KedroContext) -> dict[str, Any]:
        """The settings of MLflow; in a temporary workspace those of the project that it belongs to."""
        loader = context.config_loader
        if self._main == self._project:
            loader["mlflow"] = locate(loader["mlflow"])
            return dict(loader["mlflow"])
        main = read_conf(self._main, context.env)
        settings = locate(main["mlflow"])
        # git does not have conf/local, and its paths are relative to the project's folder
        loader["mlflow"] = with_absolute_paths(settings, self._main)
        with suppress(MissingConfigException):
            loader["credentials"] = main["credentials"]
        read_conf(self._project, context.env)  # loaders share one resolver of `globals`: set it back
        return settings

    def _archive(self) -> Archive:
        return Lineage.read("lineage", self._parameters.get("lineage") or {}).archive

    def _find_sources(self) -> set[Path]:
        """The files that the run reads as code or configuration, as far as git may have them."""
        classes = [*class_names(self._parameters), *chain(*map(self._catalog.class_paths, self._datasets))]
        modules = import_closure([*project_modules(), *map(defining_module, classes)]).values()
        layers = conf_layers(current_model(), self._environment)
        conf = (conf_files(self._project, name, kind) for name in layers for kind in ("parameters", "catalog"))
        files = [*modules, *(path.with_suffix(".pyi") for path in modules), *map(self._project.joinpath, chain(*conf))]
        return {path.resolve() for path in files}

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
            log_table(name, remote_uri(str(self._path(name)), md5s[name], self._main), md5s[name])


def _resolve(values: dict[str, Any], catalog: CatalogProtocol) -> dict[str, Any]:
    """Values of dvc.lock, where one that refers to another (`${...}`) is text, as the run has them."""
    return {
        key: catalog.load(f"params:{key}") if "${" in str(value) and f"params:{key}" in catalog else value
        for key, value in values.items()
    }


def _param_name(key: str) -> str:
    """A valid name of an MLflow parameter; some keys contain names of columns, which may have any characters."""
    return re.sub(r"[^\w.\- ]", "_", key)
