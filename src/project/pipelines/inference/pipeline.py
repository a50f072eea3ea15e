"""Wiring of inference: from a table, through the champion, to a table of predictions."""

from kedro.pipeline import Pipeline, node
from kedro_tabular.registry import score_chunks


def create_pipeline() -> Pipeline:
    """`inference_table` and the champion in; `predictions` out."""
    return Pipeline(
        [
            node(
                score_chunks,
                inputs=["inference_table", "champion", "params:table", "params:inference"],
                outputs="predictions",
                name="score_chunks",
            )
        ]
    )
