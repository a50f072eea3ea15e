"""Looks in the registry which version of a model is to be served."""

from collections.abc import Sequence
from pathlib import Path

import mlflow
from mlflow.entities.model_registry import ModelVersion
from mlflow.exceptions import MlflowException
from mlflow.tracking import MlflowClient

from ..registry import get_alias_version

_SQLITE = "sqlite:///"


def find_version(name: str, reference: str) -> ModelVersion | None:
    """The version that an alias or a number names; None if there is none.

    Raises:
        Exception: whatever an unreachable registry raises.
    """
    _check_database()
    return _get_version(name, reference if reference.isdecimal() else get_alias_version(name, reference))


class AliasTable:
    """The versions that have an alias, of many models: one query for all of them.

    Only the thread that refreshes the table changes it.
    """

    def __init__(self, names: Sequence[str], alias: str) -> None:
        self.alias = alias
        self._names, self._versions = set(names), dict[str, ModelVersion]()
        self.numbers: dict[str, str] | None = None  # by model, of those that have the alias; None if never found

    def refresh(self) -> None:
        """Ask the registry again. Raises whatever an unreachable registry raises."""
        _check_database()
        found = [model for model in mlflow.search_registered_models() if model.name in self._names]
        self.numbers = {str(m.name): str(m.aliases[self.alias]) for m in found if self.alias in m.aliases}

    def find(self, name: str) -> ModelVersion | None:
        """The version of a model that had the alias when the registry was last asked; None if there was none.

        Raises:
            Exception: whatever an unreachable registry raises.
        """
        if self.numbers is None:
            self.refresh()
        number = (self.numbers or {}).get(name)
        known = self._versions.get(name)
        if known is None or str(known.version) != number:
            known = _get_version(name, number)
            if known is not None:
                self._versions[name] = known
        return known


def _check_database() -> None:
    uri = mlflow.get_registry_uri()
    if uri.startswith(_SQLITE) and not Path(uri.removeprefix(_SQLITE)).is_file():
        raise FileNotFoundError("its database does not exist")  # MLflow would create an empty one


def _get_version(name: str, number: str | None) -> ModelVersion | None:
    try:
        return None if number is None else MlflowClient().get_model_version(name, number)
    except MlflowException as error:
        if error.error_code != "RESOURCE_DOES_NOT_EXIST":
            raise
        return None
