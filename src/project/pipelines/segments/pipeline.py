"""Wiring of segments: from the table to the rows of each model of conf/models that states `table.where`."""

from kedro.pipeline import Pipeline, node
from kedro_tabular.contract import select_segments


def create_pipeline() -> Pipeline:
    """`table` in; `segment_tables` out, a table for each model."""
    return Pipeline(
        [node(select_segments, inputs=["table", "params:segments"], outputs="segment_tables", name="select_segments")]
    )
