"""The servers of deploy/ with users, for the tests of a module."""

from collections.abc import Iterator

import pytest

from .deployed import ADMIN, Team, client_of, deployed_servers

USERS = ("reader", "trainer", "promoter")


@pytest.fixture(scope="module")
def team(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Team]:
    """The servers, with a user of each role; the process of the tests is the administrator."""
    with deployed_servers(tmp_path_factory.mktemp("servers")) as servers, pytest.MonkeyPatch.context() as patch:
        patch.setenv("MLFLOW_TRACKING_USERNAME", ADMIN)
        patch.setenv("MLFLOW_TRACKING_PASSWORD", servers.environment["MLFLOW_AUTH_ADMIN_PASSWORD"])
        yield Team(servers, {name: servers.add_user(name, name) for name in USERS})


@pytest.fixture
def connected(team: Team) -> Iterator[None]:
    """Let MLflow's client use the server."""
    with client_of(team.servers.url):
        yield
