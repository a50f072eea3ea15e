"""Wiring of data preparation: from the table to its parts. The catalog validates the table."""

from kedro.pipeline import Pipeline, node
from kedro_tabular.evaluation import hash_seen_rows

from .nodes import split_table


def create_pipeline() -> Pipeline:
    """`table` in; train, calibration, test and live tables out, and the hashes of the rows that the model will see."""
    return Pipeline(
        [
            node(
                split_table,
                inputs=["table", "params:table", "params:split", "params:seed"],
                outputs=["train_table", "calibration_table", "test_table", "live_table"],
                name="split_table",
            ),
            node(
                hash_seen_rows,
                inputs=["train_table", "calibration_table", "params:table"],
                outputs="seen_rows",
                name="hash_seen_rows",
            ),
        ]
    )
