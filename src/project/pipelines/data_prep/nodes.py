"""Split the table into parts for training, calibration, testing and simulated production traffic."""

import logging
from typing import Any

import pandas as pd
from kedro_tabular.contract import Contract
from kedro_tabular.evaluation import Parts, split_by_hash, split_by_time

logger = logging.getLogger(__name__)


def split_table(table: pd.DataFrame, contract: dict[str, Any], split: dict[str, Any], seed: int) -> Parts:
    """Split by time if the contract has a time column, otherwise at random by a hash of its features.

    Numbers become float64, because MLflow rejects int64 where the model's signature has a double.
    """
    schema = Contract.from_parameters(contract)
    table = table.astype(dict.fromkeys(schema.of_type("number"), "float64"))
    parts = split_by_time(table, schema, split) if schema.time else split_by_hash(table, schema, split, seed)
    logger.info("split: %s", ", ".join(f"{name} {count:,}" for name, count in parts.rows.items()))
    return parts
