"""Tables as the dataset inputs of an MLflow run."""

import mlflow
from mlflow.data.code_dataset_source import CodeDatasetSource
from mlflow.data.dataset_source import DatasetSource
from mlflow.data.dataset_source_registry import resolve_dataset_source
from mlflow.data.meta_dataset import MetaDataset
from mlflow.exceptions import MlflowException


def log_table(name: str, uri: str, md5: str) -> None:
    """Log a table to the active run, with the address that DVC has it at and its md5 as the digest."""
    dataset = MetaDataset(find_source(uri), name=name, digest=md5)  # type: ignore[abstract]
    mlflow.log_input(dataset, context=name)


def find_source(uri: str) -> DatasetSource:
    """The source of a dataset; MLflow has no class for some remotes of DVC, such as ssh:// and azure://."""
    try:
        return resolve_dataset_source(uri)
    except MlflowException:
        return CodeDatasetSource({"uri": uri})
