"""What a person reads when an MLflow server refuses a request."""

import pytest
from kedro_tabular.outages import describe_outage, without_password
from mlflow.exceptions import MlflowException


def refusal(endpoint, status, body):
    failed = f"API request to endpoint /api/2.0/mlflow/{endpoint} failed with error code {status} != 200."
    return MlflowException(f"{failed} Response body: '{body}'")


@pytest.mark.parametrize(
    ("endpoint", "permission"),
    [
        ("runs/create", "EDIT on the experiment"),
        ("logged-models", "EDIT on the experiment"),
        ("experiments/get-by-name", "READ on the experiment"),
        ("registered-models/set-tag", "EDIT on the registered model"),
        ("model-versions/create", "EDIT on the registered model"),
        ("model-versions/get", "READ on the registered model"),
        ("registered-models/alias", "MANAGE on the registered model"),
    ],
)
def test_the_missing_permission_is_named(monkeypatch, endpoint, permission):
    monkeypatch.setenv("MLFLOW_TRACKING_USERNAME", "ana")
    line = describe_outage(refusal(endpoint, 403, "Permission denied"))
    assert line == f"the MLflow server refuses it: the user 'ana' needs the permission {permission} (docs/team.md)"


def test_a_wrong_password_is_told_with_the_variables(monkeypatch):
    monkeypatch.setenv("MLFLOW_TRACKING_USERNAME", "ana")
    monkeypatch.setenv("MLFLOW_TRACKING_PASSWORD", "of-ana")
    line = describe_outage(refusal("runs/search", 401, "You are not authenticated."))
    assert "does not accept the user 'ana'" in line
    assert "MLFLOW_TRACKING_PASSWORD" in line
    assert "of-ana" not in line


def test_a_wrong_name_of_the_server_is_no_missing_permission():
    line = describe_outage(refusal("runs/search", 403, "Invalid Host header - possible DNS rebinding attack detected"))
    assert "permission" not in line
    assert "Invalid Host header" in line


def test_addresses_are_shown_without_a_password():
    assert without_password("http://ana:of-ana@host:5000/x") == "http://host:5000/x"
