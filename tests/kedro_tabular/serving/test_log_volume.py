"""What the log has of all models, each in one query."""

import datetime as dt

import pytest
import sqlalchemy as sa
from kedro_tabular.serving.log.prediction_log import PredictionLog
from kedro_tabular.serving.log.volume import models_in, rows_a_day

from .test_prediction_log import row

DAY, UNTIL = dt.timedelta(days=1), dt.datetime(2025, 3, 8, 6, 30)


@pytest.fixture
def log(new_url):
    opened = PredictionLog(new_url)
    yield opened
    opened.close()


def append(log, model, version, *times):
    """Rows about these times, which were predicted later."""
    made = UNTIL + 30 * DAY
    log.append(
        [
            row(0, id=f"{model} {version} {i}", model=model, version=version, event_time=time, time=made)
            for i, time in enumerate(times)
        ]
    )


def test_rows_are_counted_by_model_in_days_that_end_at_the_window(log):
    second = dt.timedelta(seconds=1)
    append(log, "a", "1", UNTIL - second, UNTIL - DAY, UNTIL - DAY - second, UNTIL - 3 * DAY)
    append(log, "a", "10", UNTIL - 2 * DAY, UNTIL - 3 * DAY - second, UNTIL)  # the last two are outside
    append(log, "a", "9", UNTIL - second / 10)
    append(log, "b", "2", UNTIL - DAY / 2)
    append(log, "old", "1", UNTIL - 30 * DAY)
    assert rows_a_day(log, UNTIL, 3) == {"a": [1, 2, 3], "b": [0, 0, 1]}
    assert rows_a_day(log, UNTIL, 4)["a"] == [1, 1, 2, 3]
    assert rows_a_day(log, UNTIL - 100 * DAY, 3) == {}


def test_a_model_is_in_the_log_by_its_predictions_outcomes_or_errors(log):
    names = {"predicted", "with outcomes", "failed", "unused"}
    assert models_in(log, names) == set()
    append(log, "predicted", "1", UNTIL)
    append(log, "of another project", "1", UNTIL)
    log.add_outcomes("with outcomes", [{"reference": "id:x", "time": UNTIL, "outcome": "1"}])
    log.add_errors({"failed": {"timeout": 1}}, UNTIL)
    assert models_in(log, names) == {"predicted", "with outcomes", "failed"}
    with log.engine.begin() as connection:  # as an earlier release has stored it
        connection.execute(sa.text("UPDATE errors SET model = NULL"))
    assert models_in(log, names) == names


def test_sqlite_looks_up_the_rows_of_the_window_in_the_index(tmp_path):
    """It reads neither the rows of other days nor those of the table itself."""
    log, statements = PredictionLog(f"sqlite:///{tmp_path}/log.db"), []
    sa.event.listen(log.engine, "before_cursor_execute", lambda *call: statements.append(call[2:4]))
    append(log, "a", "1", UNTIL - DAY)
    statements.clear()
    rows_a_day(log, UNTIL, 3)
    [(statement, values)] = statements
    with log.engine.connect() as connection:
        plan = [step[-1] for step in connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", values)]
    log.close()
    of_table = [step for step in plan if "predictions" in step]
    assert all("COVERING INDEX predictions_by_" in step for step in of_table)  # several start with the model
    assert any(
        "predictions_by_window (model=? AND version=? AND event_time>? AND event_time<?)" in step for step in of_table
    )
