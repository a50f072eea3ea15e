"""Evidently's data drift preset on the rows that monitoring looks at, in an environment of its own."""
# ruff: noqa: T201

import sys
import time
from pathlib import Path

import pandas as pd
from evidently import DataDefinition, Dataset, Report  # type: ignore[import-not-found]
from evidently.presets import DataDriftPreset  # type: ignore[import-not-found]

project = Path(sys.argv[1])
TARGET = "late"


def main() -> None:
    """Print the seconds from the files to the written report."""
    started = time.perf_counter()
    reference = pd.read_parquet(project / "data/03_primary/calibration.parquet").drop(columns=TARGET)
    current = pd.read_parquet(project / "data/compared.parquet").drop(columns=TARGET)
    times = list(reference.select_dtypes("datetime"))
    numbers = list(reference.select_dtypes("number"))
    categories = [name for name in reference if name not in (*times, *numbers)]
    kinds = DataDefinition(numerical_columns=numbers, categorical_columns=categories, datetime_columns=times)
    data = [Dataset.from_pandas(table, data_definition=kinds) for table in (current, reference)]
    Report([DataDriftPreset()]).run(*data).save_html(str(project / "evidently.html"))
    print(time.perf_counter() - started)


main()
