"""Create the SQLite file of a new MLflow store as a whole.

MLflow creates the tables in hundreds of transactions, and can't go on from the middle: a store whose process was killed
there would refuse every later command.
"""

import sqlite3
from contextlib import closing
from pathlib import Path
from tempfile import TemporaryDirectory

from mlflow.tracking import MlflowClient

from ..files import write_atomically


def create_store(store: Path) -> None:
    """Create the file unless it exists; if the process is killed, it still does not exist."""
    if store.exists():
        return
    with TemporaryDirectory() as folder:
        new = Path(folder) / store.name
        MlflowClient(f"sqlite:///{new}").search_experiments()  # MLflow creates what it opens
        with closing(sqlite3.connect(new)) as connection:
            write_atomically(store, connection.serialize())
