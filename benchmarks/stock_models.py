"""Three models of stock scikit-learn parts, trained and tested on the rows of a trained project."""

import json
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import yaml
from sklearn import metrics as sk
from sklearn.compose import make_column_transformer
from sklearn.ensemble import (
    HistGradientBoostingClassifier,
    HistGradientBoostingRegressor,
    RandomForestClassifier,
    RandomForestRegressor,
)
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, OrdinalEncoder, StandardScaler


class Reference(NamedTuple):
    """A metric on the test rows, of the project's model and of the best stock model."""

    metric: str
    ours: float
    stock: float
    difference: float  # of ours, as a share of what the stock model leaves to gain; negative where ours is worse
    estimator: str  # ours


def best_stock_model(project: Path) -> Reference:
    """Train the stock models on the project's training rows, and compare by the metric of its gate."""
    parameters = _parameters(project)
    table, metric = parameters["table"], parameters["gate"]["champion"]["metric"]
    train, test = (pd.read_parquet(project / "data" / "03_primary" / f"{part}.parquet") for part in ("train", "test"))
    features, target = list(table["columns"]), table["target"]
    train_X, test_X = (_plain(rows[features], table["columns"]) for rows in (train, test))
    models = _models(train_X, table["task"] == "classification")
    scores = [_score(model.fit(train_X, train[target]), test_X, test[target], metric) for model in models]
    ours = json.loads((project / "data" / "08_reporting" / "metrics.json").read_text(encoding="utf-8"))[metric]
    best = max(scores)
    estimator = parameters["estimator"]["class"].rpartition(".")[2]
    return Reference(metric, ours, best, (ours - best) / max(1 - best, 1e-12), estimator)


def _parameters(project: Path) -> dict[str, Any]:
    files = sorted((project / "conf" / "base").glob("parameters*.yml"))
    sections = [yaml.safe_load(file.read_text(encoding="utf-8")) for file in files]
    return {key: value for section in sections for key, value in section.items()}


def _plain(rows: pd.DataFrame, columns: dict[str, Any]) -> pd.DataFrame:
    """Dates as days, categories as text with a value for missing ones."""
    plain = rows.copy()
    for name, column in columns.items():
        if column["type"] == "datetime":
            days = (plain[name] - pd.Timestamp("1970-01-01")) / pd.Timedelta(days=1)
            plain[name], plain[f"{name} weekday"], plain[f"{name} hour"] = (
                days,
                rows[name].dt.weekday,
                rows[name].dt.hour,
            )
        elif column["type"] == "category":
            plain[name] = plain[name].astype(object).where(plain[name].notna(), "missing").astype(str)
        else:
            plain[name] = plain[name].astype(float)
    return plain


def _models(rows: pd.DataFrame, is_classification: bool) -> list[Any]:
    text = [name for name in rows if not pd.api.types.is_numeric_dtype(rows[name].dtype)]
    numbers = [name for name in rows if name not in text]
    codes = make_column_transformer(
        (OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=np.nan), text), remainder="passthrough"
    )
    scaled = make_pipeline(SimpleImputer(strategy="median", keep_empty_features=True), StandardScaler())
    one_hot = make_column_transformer(
        (OneHotEncoder(handle_unknown="ignore", min_frequency=5), text), (scaled, numbers)
    )
    if is_classification:
        boosting, linear = HistGradientBoostingClassifier(random_state=0), LogisticRegression(max_iter=1000)
        forest = RandomForestClassifier(random_state=0, n_jobs=-1)
    else:
        boosting, linear = HistGradientBoostingRegressor(random_state=0), Ridge()
        forest = RandomForestRegressor(random_state=0, n_jobs=-1)
    return [make_pipeline(codes, boosting), make_pipeline(one_hot, linear), make_pipeline(codes, forest)]


def _score(model: Any, rows: pd.DataFrame, target: pd.Series, metric: str) -> float:
    if metric == "r2":
        return float(sk.r2_score(target, model.predict(rows)))
    probabilities, y_true = model.predict_proba(rows), target.to_numpy()
    columns = [1] if len(model.classes_) == 2 else np.flatnonzero(np.isin(model.classes_, y_true))
    by_class = sk.roc_auc_score if metric == "roc_auc" else sk.average_precision_score
    return float(np.mean([by_class(y_true == model.classes_[k], probabilities[:, k]) for k in columns]))
