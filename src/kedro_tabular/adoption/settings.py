"""The settings in conf/base that depend on the table."""

from typing import Any

from ..contract import Column
from .checks import MAX_OUT_OF_RANGE
from .inference import InferredContract
from .split import Split

Key = tuple[str, ...]
Settings = dict[str, dict[Key, Any]]  # file of conf/base to key to value

_RARE = 0.1  # average precision suits a positive class of a smaller share better than ROC AUC
_MAX_SLICES, _MAX_SLICE_VALUES = 3, 20
_MAX_GROUPS = 2


def choose_settings(inferred: InferredContract, split: Split, filepath: str) -> Settings:
    """All settings that depend on the table, which is in the project at `filepath`."""
    contract = inferred.contract
    columns = {name: _non_defaults(column) for name, column in contract.columns.items()}
    table = {"name": contract.name, "target": contract.target, "task": contract.task, "time": contract.time}
    keep = [*inferred.ids, *([contract.time] if contract.time else [])]
    return {
        "catalog.yml": {("table",): _catalog_entry(inferred, filepath)},
        "parameters.yml": {("table", key): value for key, value in (table | {"columns": columns}).items()},
        "parameters_data_prep.yml": {("split", key): value for key, value in split.parameters.items()},
        "parameters_feature_engineering.yml": {("features", "datetime_parts"): _datetime_parts(inferred)},
        "parameters_inference.yml": {("inference", "keep"): keep},
        "parameters_serving.yml": {("serving", "log", "keys"): inferred.ids},
        "parameters_training.yml": _training(inferred, split),
        "parameters_packaging.yml": _gate(inferred, split),
        "parameters_monitoring.yml": {("monitoring", "min_rows"): min(200, max(30, split.rows["calibration"]))},
    }


def choose_metric(inferred: InferredContract) -> str:
    """The metric of the gate and of the monitoring."""
    if inferred.contract.task == "regression":
        return "r2"
    labels = sorted(inferred.target.values.unique().tolist())
    positive = float(inferred.target.values.eq(labels[-1]).mean())
    return "average_precision" if len(labels) == 2 and positive < _RARE else "roc_auc"


def _catalog_entry(inferred: InferredContract, filepath: str) -> dict[str, Any]:
    return {
        "type": "kedro_tabular.datasets.TableFileDataset",
        "filepath": filepath,
        "table": "${params:table}",
        **inferred.read_options.model_dump(exclude_defaults=True),
        "validator": {
            "class": "kedro_tabular.contract.TableValidator",
            "on": "load",
            "options": {"table": "${params:table}"},
        },
    }


def _non_defaults(column: Column) -> dict[str, Any]:
    values = column.model_dump(exclude_defaults=True)
    return {key: int(v) if isinstance(v, float) and v.is_integer() else v for key, v in values.items()}


def _datetime_parts(inferred: InferredContract) -> list[str]:
    """Parts whose values recur: with a split by time, months and years do not."""
    times = [inferred.table[name] for name in inferred.contract.of_type("datetime")]
    hours = any((column.dt.hour != 0).any() for column in times)
    parts = ["hour", "weekday"] if hours or not times else ["weekday"]
    return parts if inferred.contract.time or not times else [*parts, "day", "month", "year"]


def _slices(inferred: InferredContract) -> list[str]:
    """Category columns of few values, the most predictive first."""
    categories = inferred.contract.of_type("category")
    few = [name for name in categories if inferred.table[name].nunique() <= _MAX_SLICE_VALUES]
    return sorted(few, key=lambda name: -inferred.scores[name])


def _training(inferred: InferredContract, split: Split) -> dict[Key, Any]:
    is_classification = inferred.contract.task == "classification"
    kind = "Classifier" if is_classification else "Regressor"
    slices, rows = _slices(inferred), split.rows
    fallback, kwargs = f"sklearn.dummy.Dummy{kind}", {}
    if slices:
        fallback = f"kedro_tabular.modelling.Group{'Rates' if is_classification else 'Means'}"
        kwargs = {"by": slices[:_MAX_GROUPS], "min_rows": min(100, max(10, rows["train"] // 50))}
    # Each iteration grows a tree per class; on few rows many iterations overfit.
    n_classes = inferred.target.values.nunique() if is_classification else 1
    iterations = max(20, min(200, 600 // n_classes, max(60, rows["train"] // 50)))
    return {
        ("estimator", "class"): f"sklearn.ensemble.HistGradientBoosting{kind}",
        ("estimator", "kwargs", "max_iter"): iterations,
        ("guard", "actions", "outside_training"): "flag" if inferred.out_of_range > MAX_OUT_OF_RANGE else "fallback",
        ("fallback", "class"): fallback,
        ("fallback", "kwargs"): kwargs,
        ("profile", "metric"): choose_metric(inferred),
        ("profile", "slices"): slices[:_MAX_SLICES],
        ("profile", "slice_rows"): min(100, max(20, rows["calibration"] // 20)),
    }


def _gate(inferred: InferredContract, split: Split) -> dict[Key, Any]:
    metric, n_test = choose_metric(inferred), split.rows["test"]
    columns = _slices(inferred)[:_MAX_SLICES]
    tolerance, min_rows = (0.005, 500) if n_test >= 5000 else (0.02, 200)
    slices = {"metric": metric, "columns": columns, "min_rows": min_rows, "max_drop": 0.05}
    return {
        ("gate", "metrics"): {"fallback_share": {"max": 0.2}},
        ("gate", "trivial"): {"metric": metric, "margin": 0.02},
        ("gate", "champion", "metric"): metric,
        ("gate", "champion", "tolerance"): tolerance,
        ("gate", "slices"): slices if columns and n_test >= 1000 else None,
        # on fewer rows the calibration error is mostly noise
        ("gate", "max_calibration_error"): 0.15 if n_test >= 500 else None,
    }
