"""A plain script: fit, evaluate and register a model for each store of a table, with two processes.

python benchmarks/plain_models.py sales.csv FOLDER [REQUIREMENT...]

Without requirements MLflow finds those of each model, which takes most of the time.
"""

import multiprocessing
import sys
from pathlib import Path

import mlflow
import pandas as pd
from mlflow.models import infer_signature
from sklearn.compose import make_column_transformer
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.metrics import average_precision_score, brier_score_loss, log_loss, roc_auc_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OrdinalEncoder
from threadpoolctl import threadpool_limits

TARGET, TIME, BY = "sold", "when", "store"


def train(name: str, rows: pd.DataFrame, folder: Path, requirements: list[str]) -> float:
    """Train on the first rows, evaluate on the last, and register. Returns the ROC AUC."""
    mlflow.set_tracking_uri(f"sqlite:///{folder}/mlflow.db")
    mlflow.set_experiment("plain")
    rows = rows.sort_values(TIME).assign(
        hour=lambda r: r[TIME].dt.hour.astype(float), weekday=lambda r: r[TIME].dt.weekday.astype(float)
    )
    features, target = rows.drop(columns=[TARGET, TIME, BY]), rows[TARGET]
    cut = int(len(rows) * 0.75)
    encoder = OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=-1)
    model = make_pipeline(
        make_column_transformer((encoder, ["colour"]), remainder="passthrough"),
        HistGradientBoostingClassifier(max_iter=200, early_stopping=False, random_state=0),
    )
    with threadpool_limits(1):  # more threads than processors would wait for each other
        model.fit(features[:cut], target[:cut])
    predicted = model.predict_proba(features[cut:])[:, 1]
    scores = {
        "roc_auc": roc_auc_score(target[cut:], predicted),
        "average_precision": average_precision_score(target[cut:], predicted),
        "brier": brier_score_loss(target[cut:], predicted),
        "log_loss": log_loss(target[cut:], predicted),
    }
    with mlflow.start_run(run_name=name):
        mlflow.log_params({"store": name, "rows": len(rows)})
        mlflow.log_metrics(scores)
        mlflow.sklearn.log_model(
            model,
            name="model",
            registered_model_name=name,
            signature=infer_signature(features[:5], predicted[:5]),
            input_example=features[:5],
            pip_requirements=requirements or None,
            serialization_format="cloudpickle",
        )
    return float(scores["roc_auc"])


def main(file: Path, folder: Path, requirements: list[str]) -> None:
    """Train a model for each store."""
    table = pd.read_csv(file, parse_dates=[TIME])
    mlflow.set_tracking_uri(f"sqlite:///{folder}/mlflow.db")
    mlflow.create_experiment("plain", artifact_location=(folder / "artifacts").as_uri())
    with multiprocessing.get_context("spawn").Pool(2) as pool:
        pool.starmap(train, [(str(name), rows, folder, requirements) for name, rows in table.groupby(BY)])


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3:])
