"""The sample's own joins: flights, the weather of their scheduled hour, and their planes.

The one place that knows flights. Delete this folder to work on a table of your own.
"""

import logging

import pandas as pd

logger = logging.getLogger(__name__)

_HOUR = ["origin", "year", "month", "day", "hour"]
_WEATHER = ["temp", "dewp", "humid", "wind_dir", "wind_speed", "wind_gust", "precip", "pressure", "visib"]


def join_flights(
    flights: pd.DataFrame, weather: pd.DataFrame, planes: pd.DataFrame, late_after_minutes: float
) -> pd.DataFrame:
    """One row a flight that arrived: what is known before its departure, and whether it was late.

    Flights without an arrival delay (cancelled or diverted) have no outcome to learn from and are left out.
    A flight without weather or plane on record keeps its row, with missing values.

    Args:
        flights: one row a scheduled flight, local times.
        weather: one row an airport and hour, local time; of an hour that the clocks repeat, the first counts.
        planes: one row a tail number.
        late_after_minutes: a delay in minutes from which an arrival is late.
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
    clock = joined["sched_arr_time"]  # written as hours and minutes, 1745 for a quarter to six
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
