from .attribution import add_outcomes_of_models
from .logged_rows import LoggedRowsDataset
from .outcomes import read_outcome_table
from .prediction_log import PredictionLog, PredictionLogDataset
from .pruning import prune
from .records import utc_now
from .volume import models_in, rows_a_day

__all__ = [
    "LoggedRowsDataset",
    "PredictionLog",
    "PredictionLogDataset",
    "add_outcomes_of_models",
    "models_in",
    "prune",
    "read_outcome_table",
    "rows_a_day",
    "utc_now",
]
