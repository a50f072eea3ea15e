"""Split the table into parts for training, calibration, testing and simulated production traffic."""

from typing import Any

import pandas as pd
from kedro_tabular.contract import Contract
from kedro_tabular.evaluation import Parts, split_at_random, split_by_time


def split_table(table: pd.DataFrame, contract: dict[str, Any], split: dict[str, Any], seed: int) -> Parts:
    """Split by time if the contract has a time column, otherwise at random, stratified by class.

    Numbers become float64, because MLflow rejects int64 where the model's signature has a double.
    """
    schema = Contract.from_parameters(contract)
    table = table.astype(dict.fromkeys(schema.of_type("number"), "float64"))
    if schema.time:
        return split_by_time(table, schema.time, split)
    classes = table[schema.target] if schema.task == "classification" else None
    return split_at_random(table, classes, split, seed)
