"""Names of the columns of predictions."""

from collections.abc import Iterable

PREDICTION, SOURCE, REASONS, EXPLANATION = "prediction", "source", "reasons", "explanation"
LOWER, UPPER = "lower", "upper"
_PROBABILITY = "probability_"


def probability_column(label: object) -> str:
    """The column with the probability of a class."""
    return f"{_PROBABILITY}{label}"


def is_probability(column: str) -> bool:
    """Whether a column holds the probability of a class."""
    return column.startswith(_PROBABILITY)


def classes_of(columns: Iterable[str]) -> list[str]:
    """The classes whose probabilities are among the columns, in their order; none for a regression."""
    return [str(name).removeprefix(_PROBABILITY) for name in columns if is_probability(str(name))]


def score_columns(classes: Iterable[object] | None) -> list[str]:
    """The columns of the scores: the probability of each class; of a regression (None) the prediction."""
    return [PREDICTION] if classes is None else [probability_column(label) for label in classes]
