"""Join the tables of the sample: flights, the weather in their scheduled hour, and their planes.

This is the only code that depends on the sample. Delete this folder to work on a table of your own.
"""

import logging

import pandas as pd

logger = logging.getLogger(__name__)

_HOUR = ["origin", "year", "month", "day", "hour"]
_WEATHER = ["temp", "dewp", "humid", "wind_dir", "wind_speed", "wind_gust", "precip", "pressure", "visib"]


def join_flights(
    flights: pd.DataFrame, weather: pd.DataFrame, planes: pd.DataFrame, late_after_minutes: float
) -> pd.DataFrame:
    """One row per flight that arrived: what is known before its departure, and whether it was late.

    Flights without an arrival delay (cancelled or diverted) have no target and are left out. Flights without weather or
    plane data are kept, with missing values.

    Args:
        flights: one row per scheduled flight, in local time.
        weather: one row per airport and hour, in local time; of an hour that is repeated when the clocks go back, the
            first row is used.
        planes: one row per tail number.
        late_after_minutes: the smallest delay, in minutes, that makes a flight late.
    """
    arrived = flights[flights["arr_delay"].notna()]
    logger.info(
        "%s of %s flights arrived; %s cancelled or diverted ones are left out",
        f"{len(arrived):,}",
        f"{len(flights):,}",
        f"{len(flights) - len(arrived):,}",
    )
    joined = arrived.merge(
        weather.drop_duplicates(_HOUR)[[*_HOUR, *_WEATHER]], on=_HOUR, how="left", validate="many_to_one"
    ).merge(
        planes[["tailnum", "year", "seats", "manufacturer"]].rename(columns={"year": "built"}),
        on="tailnum",
        how="left",
        validate="many_to_one",
    )
    clock = joined["sched_arr_time"]  # hours and minutes as one number: 1745 is 17:45
    return pd.DataFrame(
        {
            "scheduled_departure": pd.to_datetime(joined[["year", "month", "day", "hour", "minute"]]),
            "scheduled_arrival": (clock // 100 * 60 + clock % 100).astype("float64"),
            **{name: joined[name] for name in ("carrier", "tailnum", "origin", "dest", "manufacturer")},
            **{name: joined[name].astype("float64") for name in ("distance", "seats", *_WEATHER)},
            "plane_age": joined["year"] - joined["built"],
            "late": (joined["arr_delay"] >= late_after_minutes).astype("int64"),
        }
    )
