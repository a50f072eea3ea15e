"""The page of many models: a row for each, small charts, links to the reports, nothing from elsewhere."""

import datetime as dt
import re
from html.parser import HTMLParser

import pytest
from kedro_tabular.monitoring.model_status import ModelStatus, by_urgency, rows_a_day, span_of
from kedro_tabular.monitoring.models_page import Volume, write_models_page
from kedro_tabular.monitoring.profile import Profile

from ...conftest import fit_packaged, make_table
from .test_monitoring import make_profile, monitor, score

SPAN = ("7d", "2020-02-10", "2020-04-10", None)  # of the table's rows, four a day
UNTIL = dt.datetime(2020, 4, 10)


class Page(HTMLParser):
    """The rows of the table by the model, the addresses, and all that a browser would load."""

    def __init__(self, text):
        super().__init__()
        self.rows, self.links, self.loaded, self._cells = {}, [], [], None
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        values = dict(attributes)
        if tag == "tr" and "id" in values:
            self._cells = self.rows[values["id"]] = {"class": values["class"], "text": "", "tags": []}
        if self._cells is not None:
            self._cells["tags"].append((tag, values.get("class")))
        if tag == "a":
            self.links.append(values["href"])
        self.loaded += [values[name] for name in ("src", "srcset", "data") if name in values]
        self.loaded += [values["href"]] if tag == "link" else []

    def handle_endtag(self, tag):
        if tag == "tr":
            self._cells = None

    def handle_data(self, text):
        if self._cells is not None:
            self._cells["text"] += f"{text.strip()} "

    def count(self, model, tag, kind):
        return self.rows[model]["tags"].count((tag, kind))


@pytest.fixture(scope="module")
def verdicts(tmp_path_factory, parameters):
    """What monitoring finds in rows as those of the training, in others, and in a window without rows."""
    folder, model = tmp_path_factory.mktemp("scored"), fit_packaged("binary")
    profiles = {"1": Profile.model_validate(make_profile(model))}
    settings = parameters["monitoring"] | {"draws": 200}
    table = make_table(1000, seed=3)
    found = {}
    for name, rows in (("same", table), ("shifted", table.assign(size=table["size"] / 4, town="<b>new</b>"))):
        score(model, rows, folder / f"{name}.parquet")
        found[name] = monitor(folder / f"{name}.parquet", profiles, settings, SPAN)
    later = ("7d", "2021-01-01", "2021-01-08", None)
    found["empty"] = monitor(folder / "same.parquet", profiles, settings, later)
    return found


@pytest.fixture(scope="module")
def statuses(verdicts):
    return [
        ModelStatus("fine", verdicts["same"], report="fine/monitoring.html"),
        ModelStatus("shifted", verdicts["shifted"], report="shifted/monitoring.html"),
        ModelStatus("shifted_too", verdicts["shifted"]),
        ModelStatus("silent", verdicts["empty"]),
        ModelStatus("new"),
        ModelStatus("broken", verdicts["same"], reason="no such column <i>"),
    ]


def test_those_that_need_a_person_come_first(statuses):
    expected = ["broken", "shifted", "shifted_too", "new", "silent", "fine"]
    assert [status.model for status in by_urgency(statuses)] == expected
    volume = Volume(UNTIL, {"fine": [4] * 75, "shifted": [0] * 74 + [9]})
    page = Page(write_models_page(statuses, "shop", volume))
    assert list(page.rows) == expected
    assert [row["class"] for row in page.rows.values()] == ["failed", "alert", "alert", "none", "none", "ok"]


def test_each_row_says_what_was_found_and_shows_it(statuses):
    volume = Volume(UNTIL, {"fine": [4] * 75, "shifted": [0] * 74 + [9]})
    page = Page(write_models_page(statuses, "shop", volume))
    assert "drift of size :" in page.rows["shifted"]["text"]
    assert "no such column <i>" in page.rows["broken"]["text"]
    assert "no predictions in the window" in page.rows["silent"]["text"]
    assert "240 in the window" in page.rows["fine"]["text"] and "4 a day" in page.rows["fine"]["text"]
    assert (page.count("fine", "rect", "live"), page.count("fine", "rect", "before")) == (60, 15)
    assert page.count("fine", "rect", "above") == 0 < page.count("shifted", "rect", "above")
    assert page.count("fine", "rect", "below") == len(statuses[0].monitoring["versions"]["1"]["columns"])
    assert page.count("fine", "polyline", "measured") == page.count("fine", "polyline", "estimated") == 1
    for model in ("broken", "silent", "new"):
        assert not {"polyline", "rect"} & {tag for tag, _ in page.rows[model]["tags"]}


def test_an_alert_of_several_models_is_told_once_above_the_table(statuses):
    text = write_models_page(statuses, "shop", None)
    assert text.count("<li>drift of size in 2 of 6 models: shifted, shifted_too</li>") == 1
    assert "1 not monitored, 2 with alerts, 2 without a verdict, 1 without alerts." in text


def test_the_page_needs_nothing_but_itself_and_links_to_the_reports(statuses):
    text = write_models_page(statuses, "shop", None)
    page = Page(text)
    assert page.links == ["shifted/monitoring.html", "fine/monitoring.html"]
    assert page.loaded == []
    assert not re.search(r"https?://|@import|url\(|<script|<b>new", text)
    assert "prefers-color-scheme: dark" in text


def test_a_model_that_was_monitored_before_the_others_says_when(statuses, verdicts):
    earlier = verdicts["same"] | {"window": {"since": "2020-02-01 00:00:00", "until": "2020-03-01 00:00:00"}}
    page = Page(write_models_page([statuses[0], ModelStatus("late", earlier)], "shop", None))
    assert "until 2020-03-01 00:00" in page.rows["late"]["text"]
    assert "until" not in page.rows["fine"]["text"]


def test_rows_a_day_are_those_of_the_window_of_all_versions(verdicts):
    assert verdicts["same"]["rows"] == {"1": 240}
    assert rows_a_day(verdicts["same"]) == 4
    assert rows_a_day(verdicts["empty"]) == 0
    assert rows_a_day({}) is None
    of_before = {key: value for key, value in verdicts["same"].items() if key not in ("rows", "timezone")}
    assert rows_a_day(of_before | {"versions": {"2": {"rows": 120}}}) == 2


def test_a_window_is_compared_in_utc(verdicts):
    berlin = verdicts["same"] | {"timezone": "Europe/Berlin"}
    assert span_of(berlin) == (dt.datetime(2020, 2, 9, 23), dt.datetime(2020, 4, 9, 22))
