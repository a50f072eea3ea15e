"""Where the artifacts of an experiment are stored, depending on its store.

MLflow makes a path absolute and keeps it in the store. That suits a store in the project's folder. With a store that
other machines use, they would look for the artifacts on their own disks.
"""

import logging
from pathlib import Path
from urllib.parse import urlsplit

from mlflow.entities import Experiment

from ..outages import without_password
from ..parameters import ParameterError

logger = logging.getLogger(__name__)

SQLITE = "sqlite:///"
IN_PROJECT = "mlartifacts"
_DATABASES = ("postgresql", "mysql", "mssql")


def artifact_location(tracking_uri: str, configured: str | None) -> str | None:
    """The location for a new experiment; None if the store has one, as a server that passes artifacts on.

    Args:
        tracking_uri: where runs are recorded.
        configured: `artifact_location` of mlflow.yml. A path without a scheme is in the project's folder, and counts
            only for a store that is there, too.

    Raises:
        ParameterError: the store is a database, and the location is missing.
    """
    if tracking_uri.startswith(SQLITE):
        return configured or IN_PROJECT
    if configured and "://" in configured:
        return configured
    if tracking_uri.startswith(_DATABASES):
        raise ParameterError(
            f"mlflow.yml: {without_password(tracking_uri)} is a database without a server, so that models would be "
            "stored on this machine. Set tracking.experiment.create_experiment_kwargs.artifact_location, such as "
            "s3://bucket/mlflow, or the address of an MLflow server"
        )
    return None


def check_artifact_location(experiment: Experiment, tracking_uri: str, configured: str | None) -> None:
    """Refuse an experiment of a shared store whose artifacts are on one machine's disk, if that is another machine.

    Raises:
        ParameterError: a run would store its artifacts where no other machine finds them.
    """
    location = urlsplit(str(experiment.artifact_location))
    if tracking_uri.startswith(SQLITE) or location.scheme not in ("", "file"):
        return
    if experiment.artifact_location == configured:
        return
    uri = without_password(tracking_uri)
    problem = (
        f"the experiment {experiment.name!r} of {uri} stores its files in {location.path} of one machine, where no "
        f"other finds them. Rename it, and the next run makes a new one: MLFLOW_TRACKING_URI={uri} mlflow experiments "
        f"rename --experiment-id {experiment.experiment_id} --new-name {experiment.name}-of-one-machine. If the new "
        "one has such a location again, the server needs --artifacts-destination"
    )
    if not Path(location.path).parent.is_dir():
        raise ParameterError(problem)
    logger.warning(problem)
