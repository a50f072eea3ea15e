"""Wiring of ingestion: from the raw tables to the one table of the contract."""

from kedro.pipeline import Pipeline, node

from .nodes import join_flights


def create_pipeline() -> Pipeline:
    """The raw tables of the sample in; `table` out."""
    return Pipeline(
        [
            node(
                join_flights,
                inputs=["flights", "weather", "planes", "params:late_after_minutes"],
                outputs="table",
                name="join_flights",
            )
        ]
    )
