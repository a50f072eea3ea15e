"""Settings that fit the table: what conf/base says after `kedro adopt`, key by key."""

from typing import Any

from ..contract import Column
from .inference import Decision
from .ranges import MOST_OUTSIDE
from .split import Split

Key = tuple[str, ...]
Settings = dict[str, dict[Key, Any]]  # file of conf/base to key to value

_RARE = 0.1  # a positive class of a smaller share is better watched by average precision
_MOST_SLICES, _SLICE_VALUES = 3, 20
_GROUPS = 2


def choose_settings(decision: Decision, split: Split, filepath: str) -> Settings:
    """All that depends on the table.

    Args:
        decision: what the table is like.
        split: how it is split.
        filepath: where the file lies in the project.
    """
    contract = decision.contract
    columns = {name: _column_values(column) for name, column in contract.columns.items()}
    table = {"name": contract.name, "target": contract.target, "task": contract.task, "time": contract.time}
    keep = [*decision.ids, *([contract.time] if contract.time else [])]
    return {
        "catalog.yml": {("table",): _catalog_entry(decision, filepath)},
        "parameters.yml": {("table", key): value for key, value in (table | {"columns": columns}).items()},
        "parameters_data_prep.yml": {("split", key): value for key, value in split.values.items()},
        "parameters_feature_engineering.yml": {("features", "datetime_parts"): _datetime_parts(decision)},
        "parameters_inference.yml": {("inference", "keep"): keep},
        "parameters_serving.yml": {("serving", "log", "keys"): decision.ids},
        "parameters_training.yml": _training(decision, split),
        "parameters_packaging.yml": _gate(decision, split),
        "parameters_monitoring.yml": {("monitoring", "min_rows"): min(200, max(30, split.rows["calibration"]))},
    }


def metric_of(decision: Decision) -> str:
    """The metric by which the model is compared and watched."""
    if decision.contract.task == "regression":
        return "r2"
    labels = sorted(decision.target.values.unique().tolist())
    positive = float(decision.target.values.eq(labels[-1]).mean())
    return "average_precision" if len(labels) == 2 and positive < _RARE else "roc_auc"


def _catalog_entry(decision: Decision, filepath: str) -> dict[str, Any]:
    reading = decision.reading.model_dump(exclude_defaults=True)
    return {
        "type": "kedro_tabular.datasets.TableFileDataset",
        "filepath": filepath,
        "table": "${params:table}",
        **reading,
        "validator": {
            "class": "kedro_tabular.contract.TableValidator",
            "on": "load",
            "options": {"table": "${params:table}"},
        },
    }


def _column_values(column: Column) -> dict[str, Any]:
    """A column as conf/ writes it, without what is the default."""
    values = column.model_dump(exclude_defaults=True)
    return {key: int(v) if isinstance(v, float) and v.is_integer() else v for key, v in values.items()}


def _datetime_parts(decision: Decision) -> list[str]:
    """What comes again: with a split by time months and years do not."""
    times = [decision.table[name] for name in decision.contract.of_type("datetime")]
    hours = any((column.dt.hour != 0).any() for column in times)
    parts = ["hour", "weekday"] if hours or not times else ["weekday"]
    return parts if decision.contract.time or not times else [*parts, "day", "month", "year"]


def _slices(decision: Decision) -> list[str]:
    """Category columns of few values, those first that say most of the target."""
    categories = decision.contract.of_type("category")
    few = [name for name in categories if decision.table[name].nunique() <= _SLICE_VALUES]
    return sorted(few, key=lambda name: -decision.alone[name])


def _training(decision: Decision, split: Split) -> dict[Key, Any]:
    is_class = decision.contract.task == "classification"
    by = _slices(decision)[:_GROUPS]
    if by:
        groups = f"kedro_tabular.modelling.Group{'Rates' if is_class else 'Means'}"
        kwargs: dict[str, Any] = {"by": by, "min_rows": min(100, max(10, split.rows["train"] // 50))}
    else:
        groups, kwargs = f"sklearn.dummy.Dummy{'Classifier' if is_class else 'Regressor'}", {}
    kind = "Classifier" if is_class else "Regressor"
    return {
        ("estimator", "class"): f"sklearn.ensemble.HistGradientBoosting{kind}",
        ("estimator", "kwargs", "max_iter"): _iterations(decision, split),
        ("guard", "actions", "outside_training"): "flag" if decision.outside > MOST_OUTSIDE else "fallback",
        ("fallback", "class"): groups,
        ("fallback", "kwargs"): kwargs,
        ("profile", "metric"): metric_of(decision),
        ("profile", "slices"): _slices(decision)[:_MOST_SLICES],
        ("profile", "slice_rows"): min(100, max(20, split.rows["calibration"] // 20)),
    }


def _iterations(decision: Decision, split: Split) -> int:
    """Each iteration of the boosting grows a tree for each class; few rows are soon learnt by heart."""
    n_classes = decision.target.values.nunique() if decision.contract.task == "classification" else 1
    return max(20, min(200, 600 // n_classes, max(60, split.rows["train"] // 50)))


def _gate(decision: Decision, split: Split) -> dict[Key, Any]:
    metric, n_test = metric_of(decision), split.rows["test"]
    columns = _slices(decision)[:_MOST_SLICES]
    tolerance = 0.005 if n_test >= 5000 else 0.02
    slices = {"metric": metric, "columns": columns, "min_rows": 500 if n_test >= 5000 else 200, "max_drop": 0.05}
    return {
        ("gate", "metrics"): {"fallback_share": {"max": 0.2}},
        ("gate", "trivial"): {"metric": metric, "margin": 0.02},
        ("gate", "champion", "metric"): metric,
        ("gate", "champion", "tolerance"): tolerance,
        ("gate", "slices"): slices if columns and n_test >= 1000 else None,
        # measured on few rows it is mostly chance
        ("gate", "max_calibration_error"): 0.15 if n_test >= 500 else None,
    }
