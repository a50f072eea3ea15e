"""The work of `kedro run --pipeline=train` as one plain script without Kedro, to measure the pipeline by.

Usage: python plain_train.py RAW_FOLDER   (writes mlflow.db, mlartifacts and plots into the current folder)
"""

import json
import sys
from pathlib import Path

import mlflow
import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from sklearn import metrics as sk
from sklearn.compose import ColumnTransformer
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.inspection import permutation_importance
from sklearn.model_selection import StratifiedKFold
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, OrdinalEncoder, TargetEncoder

SEED = 20130101
FEW, MANY = ["carrier", "origin"], ["tailnum", "dest", "manufacturer"]
WEATHER = ["temp", "dewp", "humid", "wind_dir", "wind_speed", "wind_gust", "precip", "pressure", "visib"]
NUMBERS = ["scheduled_arrival", "distance", "plane_age", "seats", *WEATHER]


def read_table(folder: Path) -> pd.DataFrame:
    """Flights that arrived, with their weather and plane."""
    flights, weather, planes = (
        pd.read_parquet(folder / f"{name}.parquet") for name in ("flights", "weather", "planes")
    )
    hour = ["origin", "year", "month", "day", "hour"]
    table = flights[flights["arr_delay"].notna()].merge(
        weather.drop_duplicates(hour)[[*hour, *WEATHER]], on=hour, how="left"
    )
    planes = planes[["tailnum", "year", "seats", "manufacturer"]].rename(columns={"year": "built"})
    table = table.merge(planes, on="tailnum", how="left")
    table["departure"] = pd.to_datetime(table[["year", "month", "day", "hour", "minute"]])
    table["scheduled_arrival"] = table["sched_arr_time"] // 100 * 60.0 + table["sched_arr_time"] % 100
    table["plane_age"] = table["year"] - table["built"]
    table["late"] = (table["arr_delay"] >= 15).astype(int)
    return table[["departure", *FEW, *MANY, *NUMBERS, "late"]]


def datetime_parts(columns: pd.DataFrame) -> np.ndarray:
    """Hour with its fraction, and weekday."""
    departure = columns["departure"].dt
    return np.column_stack([departure.hour + departure.minute / 60, departure.day_of_week])


def build_preprocessor() -> ColumnTransformer:
    """Stock scikit-learn parts."""
    folds = StratifiedKFold(5, shuffle=True, random_state=SEED)
    return ColumnTransformer(
        [
            ("codes", OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=np.nan), FEW),
            ("means", TargetEncoder(cv=folds), MANY),
            ("numbers", "passthrough", NUMBERS),
            ("dates", FunctionTransformer(datetime_parts), ["departure"]),
        ]
    )


def plot(path: str, x: np.ndarray, y: np.ndarray) -> None:
    """One curve into one file."""
    figure = Figure(figsize=(5, 4), layout="constrained")
    figure.subplots().plot(x, y)
    figure.savefig(path)


def evaluate(model: object, test: pd.DataFrame) -> dict[str, float]:
    """Metrics of the test rows, and four plots in the current folder."""
    truth, probability = test["late"], model.predict_proba(test)[:, 1]  # type: ignore[attr-defined]
    predicted = probability >= 0.5
    false_rate, true_rate, _ = sk.roc_curve(truth, probability)
    precision, recall, _ = sk.precision_recall_curve(truth, probability)
    bins = np.minimum((probability * 10).astype(int), 9)
    counts = np.maximum(np.bincount(bins, minlength=10), 1)
    means = np.bincount(bins, weights=probability, minlength=10) / counts
    frequency = np.bincount(bins, weights=truth, minlength=10) / counts
    grid = np.linspace(0, 1, 201)
    plot("roc.svg", grid, np.interp(grid, false_rate, true_rate))
    plot("precision_recall.svg", grid, np.interp(grid, recall[::-1], precision[::-1]))
    plot("calibration.svg", means, frequency)
    plot("confusion.svg", np.arange(4), sk.confusion_matrix(truth, predicted).ravel())
    return {
        "roc_auc": float(sk.roc_auc_score(truth, probability)),
        "average_precision": float(sk.average_precision_score(truth, probability)),
        "log_loss": float(sk.log_loss(truth, probability)),
        "brier": float(sk.brier_score_loss(truth, probability)),
        "expected_calibration_error": float((np.abs(means - frequency) * counts).sum() / len(truth)),
        "accuracy": float(sk.accuracy_score(truth, predicted)),
        "f1_macro": float(sk.f1_score(truth, predicted, average="macro")),
    }


def plot_importance(model: object, test: pd.DataFrame) -> None:
    """Permutation importance of each column."""
    rows = test.sample(5000, random_state=SEED)
    columns = rows.drop(columns="late")
    measured = permutation_importance(model, columns, rows["late"], scoring="roc_auc", n_repeats=3, random_state=SEED)
    figure = Figure(figsize=(5, 5), layout="constrained")
    figure.subplots().barh(list(columns.columns), measured.importances_mean, xerr=measured.importances_std)
    figure.savefig("importance.svg")


def main(folder: Path) -> None:
    """Read, join, split, fit, evaluate, log and register."""
    mlflow.set_tracking_uri("sqlite:///mlflow.db")
    mlflow.set_experiment("plain")
    table = read_table(folder)
    train = table[table["departure"] < "2013-09-01"]
    test = table[(table["departure"] >= "2013-10-01") & (table["departure"] < "2013-11-01")]
    settings = {"max_iter": 200, "learning_rate": 0.05, "early_stopping": False, "random_state": SEED}
    with mlflow.start_run():
        mlflow.log_params(settings)
        preprocessor = build_preprocessor()
        features = preprocessor.fit_transform(train, train["late"])
        estimator = HistGradientBoostingClassifier(**settings).fit(features, train["late"])
        model = make_pipeline(preprocessor, estimator)
        metrics = evaluate(model, test)
        plot_importance(model, test)
        mlflow.log_metrics(metrics)
        Path("metrics.json").write_text(json.dumps(metrics))
        for path in ("metrics.json", *Path().glob("*.svg")):
            mlflow.log_artifact(str(path))
        example = test.drop(columns="late").head(5)
        mlflow.sklearn.log_model(
            model,
            name="model",
            signature=mlflow.models.infer_signature(example, model.predict(example)),
            input_example=example,
            serialization_format="cloudpickle",
            pip_requirements=["mlflow", "scikit-learn", "pandas"],
            registered_model_name="plain",
        )
    sys.stdout.write(f"{metrics}\n")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
