"""The users of the MLflow server, and what they may do.

    python deploy/mlflow/users.py add NAME ROLE     makes a user, and prints its password once
    python deploy/mlflow/users.py set NAME ROLE     another role for a user
    python deploy/mlflow/users.py remove NAME

The roles: a reader reads; a trainer trains and registers versions; a promoter moves aliases, too. The server is that of
MLFLOW_TRACKING_URI; MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD are those of an administrator.
"""

import secrets
import sys
import warnings

import mlflow
from mlflow.exceptions import MlflowException

warnings.filterwarnings("ignore", module=r"mlflow\.server")  # it is of no interest here what the server is made of
from mlflow.server.auth.client import AuthServiceClient  # noqa: E402

EXPERIMENTS, MODELS = "experiment", "registered_model"
ROLES: dict[str, dict[str, str]] = {
    "reader": {},
    "trainer": {EXPERIMENTS: "EDIT", MODELS: "EDIT"},
    "promoter": {EXPERIMENTS: "EDIT", MODELS: "MANAGE"},
}


def add(client: AuthServiceClient, name: str, role: str) -> None:
    """Make a user with a role, and print the password."""
    password = secrets.token_urlsafe(24)
    client.create_user(name, password)
    grant(client, name, role)
    print(password)  # noqa: T201


def grant(client: AuthServiceClient, name: str, role: str) -> None:
    """Let a user do what a role may, on all experiments and models, and no more."""
    for kind in (EXPERIMENTS, MODELS):
        try:
            client.revoke_user_permission(name, kind, "*")
        except MlflowException as error:
            if error.error_code != "RESOURCE_DOES_NOT_EXIST":
                raise
        if kind in ROLES[role]:
            client.grant_user_permission(name, kind, "*", ROLES[role][kind])


def main(arguments: list[str]) -> None:
    """Do what the arguments say. Raises MlflowException if the server refuses it."""
    client = AuthServiceClient(mlflow.get_tracking_uri())
    match arguments:
        case ["add", name, role] if role in ROLES:
            add(client, name, role)
        case ["set", name, role] if role in ROLES:
            grant(client, name, role)
        case ["remove", name]:
            client.delete_user(name)
        case _:
            sys.exit(f"{__doc__}\nThe roles are {', '.join(ROLES)}.")


if __name__ == "__main__":
    try:
        main(sys.argv[1:])
    except MlflowException as error:
        sys.exit(f"The server refuses: {error.message.splitlines()[0]}")
