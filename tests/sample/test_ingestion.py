import pandas as pd
import pytest

from project.pipelines.ingestion.nodes import join_flights

WEATHER = ["temp", "dewp", "humid", "wind_dir", "wind_speed", "wind_gust", "precip", "pressure", "visib"]


@pytest.fixture
def tables():
    flights = pd.DataFrame(
        {
            "year": 2013,
            "month": 1,
            "day": [1, 1, 2],
            "hour": [5, 23, 6],
            "minute": [15, 59, 0],
            "sched_arr_time": [819, 2400, 45],
            "arr_delay": [15.0, 14.0, None],
            "carrier": "UA",
            "tailnum": ["N1", "N2", "N1"],
            "origin": "EWR",
            "dest": "IAH",
            "distance": 1400,
        }
    )
    weather = pd.DataFrame({"origin": "EWR", "year": 2013, "month": 1, "day": 1, "hour": [5, 5], "temp": [39.0, 99.0]})
    weather = weather.assign(**{name: 1.0 for name in WEATHER if name != "temp"})
    planes = pd.DataFrame({"tailnum": ["N1"], "year": [1999.0], "seats": [149], "manufacturer": ["BOEING"]})
    return flights, weather, planes


def test_only_flights_with_an_outcome_stay_and_are_late_from_the_limit_on(tables):
    table = join_flights(*tables, late_after_minutes=15)
    assert table["late"].tolist() == [1, 0]


def test_flights_get_the_weather_of_their_hour_and_their_plane_or_missing_values(tables):
    table = join_flights(*tables, late_after_minutes=15)
    assert table["temp"].tolist()[0] == 39.0  # the first of the two hours that share a name
    assert pd.isna(table["temp"][1])
    assert table["plane_age"].tolist()[0] == 14
    assert pd.isna(table.loc[1, ["plane_age", "seats", "manufacturer"]]).all()


def test_scheduled_times_are_read(tables):
    table = join_flights(*tables, late_after_minutes=15)
    assert table["scheduled_departure"].tolist() == [pd.Timestamp(2013, 1, 1, 5, 15), pd.Timestamp(2013, 1, 1, 23, 59)]
    assert table["scheduled_arrival"].tolist() == [499, 1440]


def test_inputs_are_left_as_they_are(tables):
    copies = [table.copy() for table in tables]
    join_flights(*tables, late_after_minutes=15)
    for table, copy in zip(tables, copies, strict=True):
        pd.testing.assert_frame_equal(table, copy)


def test_what_is_known_only_after_departure_is_no_column(parameters, tables):
    known_later = {"dep_time", "dep_delay", "arr_time", "arr_delay", "air_time"}
    assert not known_later & set(join_flights(*tables, late_after_minutes=15).columns)
    assert not known_later & set(parameters["table"]["columns"])
