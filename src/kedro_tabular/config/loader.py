"""Kedro's loader of conf/ with a layer more: conf/base, then the folder of the model, then the environment."""

import copy
import os
import pickle
from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any, cast

from kedro.config import OmegaConfigLoader
from kedro.framework import project
from omegaconf import DictConfig, OmegaConf

from ..kedro_project import SEGMENTS, TABLE
from .layers import layer_catalog, layer_parameters, read_segments
from .models import MODELS, check_model, current_model

_MODEL = "model"  # `kedro run --params=model=NAME`
_PARSED: dict[tuple[Any, ...], bytes] = {}  # files by folder, patterns and state
_Raw = tuple[dict[Path, DictConfig], dict[Path, DictConfig], str, str, set[Path]]


class ConfigLoader(OmegaConfigLoader):
    """Kedro's loader of conf/, in whose other files `${params:table.name}` is a value of the parameters.

    In mlflow.yml `${env:NAME,DEFAULT}` is an environment variable; nowhere else, where DVC would not see it.
    The loader registers these resolvers and not a hook: tools such as `kedro viz run` read the catalog without hooks.

    Args:
        conf_source: the folder conf/.
        env: the environment.
        runtime_params: values of the parameters; `model` chooses a model.
        model: the model, if those do not choose one; empty for conf/base alone. By default that of KEDRO_MODEL.
        arguments: of Kedro's loader.

    Raises:
        ParameterError: there is no such model.
    """

    _parameters: DictConfig | None = None  # read when they are needed
    _resolved: dict[str, dict[str, Any]]  # by key: Kedro's would parse all files again for each access

    def __init__(
        self,
        conf_source: str,
        env: str | None = None,
        runtime_params: dict[str, Any] | None = None,
        *,
        model: str | None = None,
        **arguments: Any,
    ) -> None:
        values = dict(runtime_params or {})
        default = current_model() if model is None else model
        self.model = str(values.pop(_MODEL, None) or default)
        self._conf, self._resolved = Path(conf_source), {}
        if self.model:
            check_model(self._conf, self.model)
        super().__init__(conf_source, env, values, **arguments)

    def __getitem__(self, key: str) -> dict[str, Any]:
        """The configuration of a kind, such as `catalog`."""
        if key == "parameters":
            OmegaConf.clear_resolver("params")  # they refer to each other by `${table.name}`
        elif key != "globals":  # which is read first
            if self._parameters is None:
                self._parameters = OmegaConf.create(self["parameters"])
            # OmegaConf has one resolver of a name for all loaders of a process: set it to that of this one.
            OmegaConf.register_new_resolver("params", self._parameter, replace=True)
        if key == "mlflow":
            OmegaConf.register_new_resolver("env", os.environ.get, replace=True)
        try:
            if key not in self._resolved:
                self._resolved[key] = super().__getitem__(key)
            return copy.deepcopy(self._resolved[key])
        finally:
            OmegaConf.clear_resolver("env")

    def __setitem__(self, key: str, value: Any) -> None:
        self._parameters = None
        self._resolved.clear()  # the catalog refers to parameters
        super().__setitem__(key, value)

    def _parameter(self, key: str) -> Any:
        assert self._parameters is not None
        return OmegaConf.select(self._parameters, key)

    # Kedro reads the files of conf/base and of the environment here, and merges them there; tested in config/.

    def _read_raw_config(self, key: str) -> _Raw:
        base, environment, base_path, environment_path, files = super()._read_raw_config(key)
        if self.model and key not in ("catalog", "globals"):
            own = self._read_own(key, files)
            if key == "parameters":
                has_table = TABLE in OmegaConf.unsafe_merge(OmegaConf.create(), *self._read_own("catalog", set()))
                base = {Path(base_path): layer_parameters(base.values(), own, self.model, has_table)}
            elif own:
                base = {Path(base_path): cast(DictConfig, OmegaConf.unsafe_merge({}, *base.values(), *own))}
        return base, environment, base_path, environment_path, files

    def _read_dir_configs(
        self,
        conf_path: str,
        patterns: Iterable[str],
        key: str,
        processed_files: set[Path],
        read_environment_variables: bool | None = False,
    ) -> dict[Path, DictConfig]:
        """Read the files of a folder. OmegaConf takes long to parse them, and models share those of conf/base."""
        if read_environment_variables:  # of credentials, which are not kept
            credentials: dict[Path, DictConfig] = super()._read_dir_configs(
                conf_path, patterns, key, processed_files, read_environment_variables
            )
            return credentials
        state = (conf_path, *patterns, *_states(Path(conf_path)))
        if state not in _PARSED:
            _PARSED[state] = pickle.dumps(super()._read_dir_configs(conf_path, patterns, key, processed_files))
        found: dict[Path, DictConfig] = pickle.loads(_PARSED[state])  # a copy: merging changes it
        processed_files.update(found)
        return found

    def _resolve_from_raw_config(self, key: str, *raw: Any) -> dict[str, Any]:
        resolved: dict[str, Any] = super()._resolve_from_raw_config(key, *raw)
        if key == "parameters" and not self.model:
            segments = read_segments(self._conf)
            return resolved | ({SEGMENTS: segments} if segments else {})
        if key == "catalog" and self.model:
            own = {Path(str(position)): one for position, one in enumerate(self._read_own(key, set()))}
            is_segment = bool(self._parameter("table.where"))
            return layer_catalog(resolved, self._merge_and_resolve(key, own), self.model, is_segment)
        return resolved

    def _read_own(self, key: str, files: set[Path]) -> list[DictConfig]:
        """The files of the model."""
        folder = self._get_conf_env_path(f"{MODELS}/{self.model}")
        found = self._read_dir_configs(folder, self.config_patterns[key], key, files, key == "credentials")
        return list(found.values())


def _states(folder: Path) -> Iterator[tuple[str, int, int]]:
    """What changes with the files of a folder."""
    for path in sorted(folder.rglob("*")):
        with suppress(OSError):  # a link to nothing
            status = path.stat()
            yield str(path), status.st_mtime_ns, status.st_size


def read_conf(
    project_path: Path,
    environment: str | None = None,
    model: str | None = None,
    runtime_params: dict[str, Any] | None = None,
) -> ConfigLoader:
    """The configuration of a project as a session reads it, with a folder of conf/ beside conf/base.

    By default it is the folder that the variable KEDRO_ENV names, else conf/local. With `base` it is conf/base alone.
    The model is by default that of the variable KEDRO_MODEL; empty for none.
    """
    arguments = {**project.settings.CONFIG_LOADER_ARGS, "env": environment or os.environ.get("KEDRO_ENV")}
    return ConfigLoader(
        str(project_path / project.settings.CONF_SOURCE), **arguments, runtime_params=runtime_params, model=model
    )
