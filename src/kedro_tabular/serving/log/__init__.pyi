from .attribution import add_outcomes_of_models
from .logged_rows import LoggedRowsDataset
from .outcomes import read_outcome_table
from .prediction_log import PredictionLog, PredictionLogDataset
from .pruning import prune
from .records import utc_now

__all__ = [
    "LoggedRowsDataset",
    "PredictionLog",
    "PredictionLogDataset",
    "add_outcomes_of_models",
    "prune",
    "read_outcome_table",
    "utc_now",
]
