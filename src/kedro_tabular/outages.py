"""Outages: the full disk, or the server that does not answer or refuses, which caused an error, in one line."""

import os
import re
from collections.abc import Iterator
from urllib.parse import urlsplit

from .files import describe_full_disk, is_disk_full

# What the clients of servers raise, by name: to import them takes seconds.
_SERVER_ERRORS = {
    "requests.exceptions.RequestException",
    "botocore.exceptions.BotoCoreError",
    "botocore.exceptions.ClientError",
    "boto3.exceptions.Boto3Error",
    "mlflow.exceptions.RestException",
    "sqlalchemy.exc.OperationalError",
}
_MAX_LENGTH = 400  # characters of a server's message
# What the MLflow server says to a request that its user may not make.
_REFUSED = re.compile(r"API request to endpoint (?P<endpoint>\S+) failed with error code (?P<status>40[13]) != 200")
_ARTIFACTS = "mlflow-artifacts"
# The permission that a request needs, by a part of its endpoint; the first that fits.
_PERMISSIONS = {
    "registered-models/alias": "MANAGE on the registered model",
    "registered-models/": "EDIT on the registered model",
    "model-versions/": "EDIT on the registered model",
    "mlflow/": "EDIT on the experiment",
    _ARTIFACTS: "EDIT on the experiment",
}
_READS = ("get", "search", "get-by-name", "list", "get-download-uri")  # how the endpoints of requests that read end


def describe_outage(error: BaseException) -> str | None:
    """A line about the full disk, or the server that does not answer, which caused an error; None if none did."""
    causes = list(causes_of(error))
    refusals = list(filter(None, map(_describe_refusal, causes)))
    if refusals:
        return refusals[-1]
    of_disks = [cause for cause in causes if is_disk_full(cause)]
    if of_disks:
        return describe_full_disk(of_disks[-1])  # that of the operating system names the file
    of_clients = [cause for cause in causes if _class_names(cause) & _SERVER_ERRORS]
    of_clients += [cause for cause in causes if str(cause).startswith("API request to")]  # MLflow's, without a cause
    return _describe_server_error(of_clients[0], causes[-1]) if of_clients else None


def _describe_refusal(error: BaseException) -> str | None:
    """What an MLflow server did not let its user do, and the missing permission; None if the error is another one."""
    response = getattr(error, "response", None)  # of the client of artifacts
    refused = _REFUSED.search(str(error))
    if refused:
        endpoint, status = refused["endpoint"], int(refused["status"])
    elif response is not None and _ARTIFACTS in str(getattr(response, "url", "")):
        endpoint, status = urlsplit(response.url).path, response.status_code
    else:
        return None
    name = os.environ.get("MLFLOW_TRACKING_USERNAME")
    user = f"the user {name!r}" if name else "a client without a user name"
    if status == 401:
        return (
            f"the MLflow server does not accept {user} with this password: set MLFLOW_TRACKING_USERNAME and "
            "MLFLOW_TRACKING_PASSWORD, as environment variables or in a credentials.yml (docs/team.md)"
        )
    if status != 403 or (refused and "Permission denied" not in str(error)):  # such as a wrong name of the server
        return None
    needed = next(permission for part, permission in _PERMISSIONS.items() if part in endpoint)
    if endpoint.rpartition("/")[2] in _READS:
        needed = needed.replace("EDIT", "READ")
    return f"the MLflow server refuses it: {user} needs the permission {needed} (docs/team.md)"


def _class_names(error: BaseException) -> set[str]:
    return {f"{kind.__module__}.{kind.__name__}" for kind in type(error).__mro__}


def _describe_server_error(error: BaseException, innermost: BaseException) -> str:
    address = urlsplit(getattr(getattr(error, "request", None), "url", None) or "")
    lines = str(error if address.hostname is None else innermost).splitlines()
    reason = (lines[0] if lines else type(error).__name__)[:_MAX_LENGTH]
    if address.hostname is None:
        return f"a server that is needed reports an error: {reason}"
    port = f":{address.port}" if address.port else ""  # without user and password
    return f"{address.scheme}://{address.hostname}{port} does not answer: {reason}"


def without_password(uri: str) -> str:
    """An address without user and password."""
    return re.sub(r"(?<=://)[^/]*@", "", uri)


def causes_of(error: BaseException | None) -> Iterator[BaseException]:
    """An error and what caused it, one after the other."""
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__
