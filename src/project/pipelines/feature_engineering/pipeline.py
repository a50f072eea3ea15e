"""Wiring of feature engineering: from the training rows to the preprocessor and the training features."""

from kedro.pipeline import Pipeline, node

from .nodes import fit_preprocessor


def create_pipeline() -> Pipeline:
    """`train_table` in; `preprocessor` and `train_features` out."""
    return Pipeline(
        [
            node(
                fit_preprocessor,
                inputs=["train_table", "params:table", "params:features", "params:estimator.class", "params:seed"],
                outputs=["preprocessor", "train_features"],
                name="fit_preprocessor",
            )
        ]
    )
