from .outcomes import read_outcome_table
from .prediction_log import PredictionLog, PredictionLogDataset
from .reading import LoggedRowsDataset

__all__ = ["LoggedRowsDataset", "PredictionLog", "PredictionLogDataset", "read_outcome_table"]
