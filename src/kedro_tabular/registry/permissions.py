"""What the user of an MLflow server may do with a registered model.

MLflow has no request that only asks. To remove what is not there changes nothing, and needs the same permission.
"""

from mlflow.exceptions import MlflowException
from mlflow.tracking import MlflowClient

from .lock import CLAIM

_NOTHING = "none"  # no alias or claim has this name


def check_may_promote(name: str) -> None:
    """Raise MlflowException if the user of an MLflow server may not remove an alias, as a promotion may have to.

    A user who may only set aliases would otherwise leave a promotion half done.
    """
    MlflowClient().delete_registered_model_alias(name, _NOTHING)


def check_may_register(name: str) -> None:
    """Raise MlflowException if the user of an MLflow server may not register versions of a model that exists."""
    try:
        MlflowClient().delete_registered_model_tag(name, CLAIM + _NOTHING)
    except MlflowException as error:
        if not is_missing(error, name):
            raise


def may_promote(name: str) -> bool:
    """Whether the user may move the aliases of a registered model."""
    try:
        check_may_promote(name)
    except MlflowException as error:
        if not _is_forbidden(error):
            raise
        return False
    return True


def is_missing(error: MlflowException, name: str) -> bool:
    """Whether an error means that there is no such registered model. A server with users may forbid access to it."""
    if error.error_code == "RESOURCE_DOES_NOT_EXIST":
        return True
    return _is_forbidden(error) and not MlflowClient().search_registered_models(f"name = '{name}'")


def _is_forbidden(error: MlflowException) -> bool:
    return "failed with error code 403" in str(error)  # MLflow gives it the code of an internal error
