"""Rows with their true values and a model's scores: what metrics are computed from."""

from typing import NamedTuple

import numpy as np
import pandas as pd

from ..contract import PREDICTION, Contract, classes_of, score_columns


class LabelledScores(NamedTuple):
    """The true values of rows and a model's scores for them.

    Classification: `y_true` holds the classes as text, shape (n_rows,), and `scores` the probabilities, shape
    (n_rows, n_classes), with the columns in the order of `classes`; `decisions` holds the predicted class of each
    row, shape (n_rows,), if that is not simply the most probable one. Regression: `y_true` and `scores` hold
    numbers, shape (n_rows,), and `classes` is None.
    """

    y_true: np.ndarray
    scores: np.ndarray
    classes: np.ndarray | None
    decisions: np.ndarray | None = None

    @classmethod
    def from_predictions(cls, predictions: pd.DataFrame, contract: Contract) -> "LabelledScores":
        """Read the target and the packaged model's columns `prediction` and `probability_<class>`."""
        target = predictions[contract.target]
        if contract.task == "regression":
            return cls(target.to_numpy(dtype=float), predictions[PREDICTION].to_numpy(dtype=float), None)
        classes = np.array(classes_of(predictions.columns), dtype=object)
        scored = cls(target.astype(str).to_numpy(dtype=object), predictions[score_columns(classes)].to_numpy(), classes)
        decisions = predictions[PREDICTION].astype(str).to_numpy(dtype=object)
        # integers have become 1.0 or the like where a model of an earlier release rejected a row
        return scored._replace(decisions=np.where(np.isin(decisions, classes), decisions, scored.predicted))

    @property
    def is_class(self) -> np.ndarray:
        """Whether each row is of each class, shape (n_rows, n_classes)."""
        return self.y_true[:, None] == self.classes

    @property
    def predicted(self) -> np.ndarray:
        """The predicted class of each row, shape (n_rows,); of a regression the predicted number."""
        if self.classes is None:
            return self.scores
        return self.classes.take(self.scores.argmax(axis=1)) if self.decisions is None else self.decisions

    @property
    def has_threshold(self) -> bool:
        """Whether a decision threshold other than 0.5 made some of the predictions."""
        return self.classes is not None and bool((self.predicted != self._replace(decisions=None).predicted).any())

    @property
    def is_predicted(self) -> np.ndarray:
        """Whether each row is predicted to be of each class, shape (n_rows, n_classes)."""
        return self.predicted[:, None] == self.classes

    @property
    def task(self) -> str:
        """`classification` or `regression`."""
        return "regression" if self.classes is None else "classification"

    def select(self, rows: np.ndarray) -> "LabelledScores":
        """Only these rows, given as a mask or as positions."""
        decisions = None if self.decisions is None else self.decisions[rows]
        return LabelledScores(self.y_true[rows], self.scores[rows], self.classes, decisions)
