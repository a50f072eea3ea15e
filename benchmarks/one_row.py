"""One row through the packaged model, all checks on, beside a pipeline of stock scikit-learn parts.

Usage: python one_row.py PROJECT_FOLDER   (with its `train` done; prints two numbers of milliseconds)
"""

import json
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path

import mlflow
import pandas as pd
import yaml
from plain_train import build_preprocessor
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.pipeline import make_pipeline

ROUNDS = 400


def milliseconds(answer: Callable[[pd.DataFrame], object], row: pd.DataFrame) -> float:
    """How long it takes once."""
    started = time.perf_counter()
    answer(row)
    return (time.perf_counter() - started) * 1000


def main(project: Path) -> None:
    """Answer one row by both, in turn."""
    mlflow.set_tracking_uri(f"sqlite:///{project}/mlflow.db")
    packaged = mlflow.pyfunc.load_model("models:/flight_delay@champion").unwrap_python_model()
    settings = yaml.safe_load((project / "conf" / "base" / "parameters_training.yml").read_text())
    renamed = {"scheduled_departure": "departure"}  # as the plain script calls it
    train, test = (pd.read_parquet(project / "data/03_primary" / f"{n}.parquet") for n in ("train", "test"))
    preprocessor = build_preprocessor()
    features = preprocessor.fit_transform(train.rename(columns=renamed), train["late"])
    estimator = HistGradientBoostingClassifier(**settings["estimator"]["kwargs"])
    stock = make_pipeline(preprocessor, estimator.fit(features, train["late"]))
    rows = [test.drop(columns="late").iloc[[number]] for number in range(ROUNDS)]
    times = [
        (milliseconds(packaged.predict, row), milliseconds(stock.predict_proba, row.rename(columns=renamed)))
        for row in rows
    ][20:]
    ours, theirs = (statistics.median(side) for side in zip(*times, strict=True))
    sys.stdout.write(json.dumps([ours, theirs]))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
