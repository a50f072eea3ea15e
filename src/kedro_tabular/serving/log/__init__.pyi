from .logged_rows import LoggedRowsDataset
from .outcomes import read_outcome_table
from .prediction_log import PredictionLog, PredictionLogDataset

__all__ = ["LoggedRowsDataset", "PredictionLog", "PredictionLogDataset", "read_outcome_table"]
