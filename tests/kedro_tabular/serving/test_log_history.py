"""Outcomes in the order of time, several models in one log, its creation, migration and pruning."""

import datetime as dt
import multiprocessing
import shutil
from types import SimpleNamespace

import pytest
import sqlalchemy as sa
from click.testing import CliRunner
from kedro_tabular.commands.log import log as log_commands
from kedro_tabular.monitoring.scored_rows import RowSelection
from kedro_tabular.monitoring.window import Window
from kedro_tabular.serving.log.logged_rows import LoggedRows
from kedro_tabular.serving.log.prediction_log import PredictionLog
from kedro_tabular.serving.log.pruning import prune
from kedro_tabular.serving.log.tables import ERRORS, OUTCOMES, PREDICTIONS

from ...conftest import ROOT
from .test_prediction_log import CONTRACT, row

DAY = dt.timedelta(days=1)
JANUARY = dt.datetime(2025, 1, 1)
FEBRUARY, MARCH, APRIL = (dt.datetime(2025, month, 1) for month in (2, 3, 4))


@pytest.fixture
def log(new_url):
    opened = PredictionLog(new_url)
    yield opened
    opened.close()


def prediction(name, made, about=None, **values):
    return row(0, id=name, time=made, event_time=about or made, key='["customer 7"]') | values


def outcome(value, time, reference='key:["customer 7"]'):
    return {"reference": reference, "time": time, "outcome": str(value)}


def outcomes_of(log, model="small"):
    """The outcomes by id, read as the whole log and as monitoring reads it, which must be the same."""
    table = log.read()
    table = table[table["model"] == model].set_index("id")["outcome"]
    window = Window(dt.datetime(2000, 1, 1), dt.datetime(2100, 1, 1))
    rows = LoggedRows(log).read(RowSelection(model, "1", window, 1.0), CONTRACT, ["0", "1", "2", "3"]).to_pandas()
    assert sorted(rows["outcome"].dropna().astype(int)) == sorted(table.dropna().astype(int))
    return {name: None if value != value else int(value) for name, value in table.items()}


def test_an_outcome_belongs_to_the_last_prediction_of_its_key_before_it(log):
    log.append([prediction("january", JANUARY)])
    assert log.add_outcomes("small", [outcome(1, JANUARY + DAY)]) == 0
    log.append([prediction("february", FEBRUARY)])
    assert outcomes_of(log) == {"january": 1, "february": None}
    log.add_outcomes("small", [outcome(0, FEBRUARY + DAY)])
    assert outcomes_of(log) == {"january": 1, "february": 0}
    log.append([prediction("march", MARCH), prediction("another customer", MARCH, key='["customer 8"]')])
    log.add_outcomes("small", [outcome(2, MARCH + DAY), outcome(3, MARCH + 2 * DAY)])  # the last is a correction
    log.add_outcomes("small", [outcome(3, JANUARY - DAY)])  # before all predictions of the key
    assert outcomes_of(log) == {"january": 1, "february": 0, "march": 3, "another customer": None}
    assert log.add_outcomes("small", [outcome(1, FEBRUARY + DAY, "id:february"), outcome(1, JANUARY - DAY)]) == 1
    assert outcomes_of(log)["february"] == 1  # the id takes precedence


def test_the_order_in_which_outcomes_arrive_does_not_matter(log):
    known = [outcome(1, JANUARY + DAY), outcome(0, FEBRUARY + DAY), outcome(2, MARCH + DAY)]
    assert log.add_outcomes("small", known) == 3
    # rows of the past that are predicted now, in one request
    log.append([prediction(f"{month:%B}", APRIL, about=month) for month in (MARCH, JANUARY, FEBRUARY)])
    assert outcomes_of(log) == {"January": 1, "February": 0, "March": 2}


def test_predictions_about_the_same_event_are_told_apart_by_when_they_were_made(log):
    log.append([prediction("first", JANUARY, about=JANUARY - 30 * DAY)])
    log.add_outcomes("small", [outcome(1, JANUARY + DAY)])
    log.append([prediction("again", FEBRUARY, about=JANUARY - 30 * DAY)])
    log.add_outcomes("small", [outcome(0, FEBRUARY + DAY)])
    assert outcomes_of(log) == {"first": 1, "again": 0}


def test_an_event_that_lies_ahead_may_have_its_outcome_before(log):
    log.append([prediction("first", JANUARY, about=APRIL), prediction("again", JANUARY + DAY, about=APRIL)])
    log.add_outcomes("small", [outcome(1, FEBRUARY)])
    assert outcomes_of(log) == {"first": None, "again": 1}


def test_two_models_in_one_log_share_neither_outcomes_nor_errors(log):
    log.append([prediction("a", JANUARY), prediction("b", JANUARY, model="other")])
    log.add_outcomes("small", [outcome(1, FEBRUARY)])
    assert log.add_outcomes("other", [outcome(0, FEBRUARY, "id:a")]) == 1  # of another model
    assert (outcomes_of(log), outcomes_of(log, "other")) == ({"a": 1}, {"b": None})
    log.add_outcomes("other", [outcome(2, FEBRUARY)])
    assert (outcomes_of(log), outcomes_of(log, "other")) == ({"a": 1}, {"b": 2})
    log.add_errors({"small": {"timeout": 2}}, JANUARY)
    log.add_errors({"other": {"timeout": 5}}, JANUARY)
    window = Window(JANUARY - DAY, FEBRUARY)
    assert LoggedRows(log).summarize("small", window).errors == {"timeout": 2}
    assert LoggedRows(log).summarize("other", window).errors == {"timeout": 5}


def _open_at_once(url, barrier, results):
    barrier.wait()
    try:
        PredictionLog(url).close()
        results.put("opened")
    except Exception as error:
        results.put(str(error))


def open_in_processes(url, n_processes=4):
    context = multiprocessing.get_context("fork")
    barrier, results = context.Barrier(n_processes), context.Queue()
    processes = [context.Process(target=_open_at_once, args=(url, barrier, results)) for _ in range(n_processes)]
    for process in processes:
        process.start()
    outputs = [results.get(timeout=60) for _ in processes]
    for process in processes:
        process.join()
    return outputs


@pytest.mark.parametrize("attempt", range(3))
def test_four_processes_create_a_log_at_once(new_url, attempt):
    assert open_in_processes(new_url) == ["opened"] * 4


EARLIER_OUTCOMES = "CREATE TABLE outcomes (reference TEXT PRIMARY KEY, time TIMESTAMP NOT NULL, outcome TEXT NOT NULL)"


def make_earlier_log(url, columns):
    """A log as earlier releases wrote it: without models of outcomes and errors, and without some columns."""
    if url.startswith("sqlite"):
        PredictionLog(url).close()  # only for its folder
    engine = sa.create_engine(url)
    kept = [column for column in PREDICTIONS.columns if column.name in columns]
    earlier = sa.Table("predictions", sa.MetaData(), *(column._copy() for column in kept))
    sa.Index("ix_predictions_key", earlier.c.key)
    with engine.begin() as connection:
        for table in (PREDICTIONS, OUTCOMES, ERRORS):
            table.drop(connection, checkfirst=True)
        earlier.create(connection)
        connection.execute(sa.text(EARLIER_OUTCOMES))
        if "event_time" in columns:
            connection.execute(
                sa.text("CREATE TABLE errors (number INTEGER PRIMARY KEY, time TIMESTAMP, code TEXT, requests INTEGER)")
            )
            connection.execute(sa.text("INSERT INTO errors VALUES (1, '2025-01-01 00:00:00.000000', 'timeout', 3)"))
        rows = [prediction("a", JANUARY), prediction("b", FEBRUARY), prediction("c", JANUARY, key=None, model="other")]
        connection.execute(earlier.insert(), [{k: v for k, v in made.items() if k in columns} for made in rows])
        known = {'key:["customer 7"]': "1", "id:c": "2", "key:[8]": "3"}
        for reference, value in known.items():
            insert = "INSERT INTO outcomes VALUES (:reference, '2025-02-02 00:00:00.000000', :value)"
            connection.execute(sa.text(insert), {"reference": reference, "value": value})
    engine.dispose()


ADDED = {"record_id", "request_id", "api_key"}  # in this release
FIRST = {column.name for column in PREDICTIONS.columns} - ADDED - {"event_time", "draw"}


@pytest.mark.parametrize("columns", [FIRST, FIRST | {"event_time", "draw"}], ids=["first release", "second release"])
def test_a_log_of_an_earlier_release_is_migrated_by_the_first_of_several_processes(new_url, columns):
    make_earlier_log(new_url, columns)
    assert open_in_processes(new_url, 3) == ["opened"] * 3
    log = PredictionLog(new_url)
    assert outcomes_of(log) == {"a": None, "b": 1}
    assert outcomes_of(log, "other") == {"c": 2}
    table = log.read()
    assert table["event_time"].equals(table["time"])
    assert table["draw"].between(0, 999_999).all()
    window = Window(JANUARY - DAY, FEBRUARY + DAY)
    errors = {"timeout": 3} if "event_time" in columns else {}
    assert LoggedRows(log).summarize("small", window).errors == errors
    log.append([prediction("d", FEBRUARY, key="[8]")])
    log.add_outcomes("small", [outcome(0, MARCH)])
    assert outcomes_of(log) == {"a": None, "b": 0, "d": 3}
    names = {
        "sqlite": "SELECT name FROM sqlite_master WHERE sql IS NOT NULL",
        "postgresql": "SELECT relname FROM pg_class WHERE relnamespace = 'public'::regnamespace",
    }
    with log.engine.connect() as connection:
        indexes = set(connection.exec_driver_sql(names[log.engine.dialect.name]).scalars())
    assert {"predictions_by_key", "predictions_by_window"} <= indexes
    assert not indexes & {"ix_predictions_key", "outcomes_of_earlier_release"}
    log.close()


def count(log, table):
    with log.engine.connect() as connection:
        return connection.execute(sa.select(sa.func.count()).select_from(table)).scalar_one()


def test_old_predictions_are_deleted_with_their_outcomes_and_others_keep_theirs(log, monkeypatch):
    monkeypatch.setattr("kedro_tabular.serving.log.pruning._BATCH_ROWS", 2)
    log.append([prediction(f"old {n}", JANUARY + n * DAY, key=f"[{n}]") for n in range(5)])
    log.append(
        [prediction("january", JANUARY), prediction("march", MARCH), prediction("other", JANUARY, model="other")]
    )
    log.append([prediction("history", APRIL, about=JANUARY - 300 * DAY, key="[9]")])  # predicted later than its outcome
    known = [outcome(1, JANUARY + 9 * DAY), outcome(2, MARCH + DAY), outcome(0, JANUARY - 299 * DAY, "key:[9]")]
    known += [outcome(1, JANUARY + 9 * DAY, f"key:[{n}]") for n in range(3)]
    known += [outcome(1, MARCH, "id:old 3"), outcome(1, JANUARY, "key:[99]"), outcome(1, JANUARY, "id:99")]
    log.add_outcomes("small", known)
    log.add_outcomes("other", [outcome(1, JANUARY + DAY)])
    for model in ("small", "other"):
        log.add_errors({model: {"timeout": 1}}, JANUARY)
    assert list(prune(log, "small", FEBRUARY)) == [2, 2, 2]
    assert outcomes_of(log) == {"march": 2, "history": 0}
    assert outcomes_of(log, "other") == {"other": 1}
    assert (count(log, PREDICTIONS), count(log, OUTCOMES), count(log, ERRORS)) == (3, 3, 1)
    assert list(prune(log, "small", FEBRUARY)) == []


def test_the_command_prunes_the_log_of_the_project(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in ("conf", "src/project"):
        shutil.copytree(ROOT / name, tmp_path / name, ignore=shutil.ignore_patterns("local"))
    (tmp_path / "conf" / "local").mkdir()
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    (tmp_path / "conf/local/parameters.yml").write_text("table: {name: small}\n", encoding="utf-8")
    project = SimpleNamespace(project_path=tmp_path)
    prune_log = ["prune", "--older-than", "90d"]
    missing = CliRunner().invoke(log_commands, prune_log, obj=project)
    assert (missing.exit_code, missing.exception.code) == (1, 1)
    assert "there is no prediction log at" in missing.output
    log = PredictionLog(f"sqlite:///{tmp_path}/data/07_model_output/prediction_log.db")
    log.append([prediction("old", JANUARY), prediction("new", dt.datetime.now()), prediction("x", JANUARY, model="x")])
    result = CliRunner().invoke(log_commands, prune_log, obj=project)
    assert result.exit_code == 0, result.output
    assert result.output.startswith("1 predictions of small from before ")
    assert sorted(log.read()["id"]) == ["new", "x"]
    log.close()
    for age in ("soon", "0d", "-3d", "90"):
        assert CliRunner().invoke(log_commands, ["prune", "--older-than", age], obj=project).exit_code == 2
