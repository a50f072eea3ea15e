"""The settings in conf/base that depend on the table."""

import math
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
MIN_CALIBRATED, _MIN_SLICED = 500, 1000  # test rows
_TOLERANCE, _MIN_TOLERANCE, _MAX_TOLERANCE = 4, 0.02, 0.25
_MIN_DAYS = 10  # of the test part, to draw days


def choose_settings(
    inferred: InferredContract, split: Split, sections: dict[str, dict[str, Any]], filepath: str
) -> Settings:
    """All settings that depend on the table, which is in the project at `filepath`.

    `sections` are what was chosen for `features` and `estimator`.
    """
    contract = inferred.contract
    columns = {name: _non_defaults(column) for name, column in contract.columns.items()}
    table = {"name": contract.name, "target": contract.target, "task": contract.task, "time": contract.time}
    keep = [*inferred.ids, *([contract.time] if contract.time else [])]
    return {
        "catalog.yml": {("table",): _catalog_entry(inferred, filepath)},
        "parameters.yml": {("table", key): value for key, value in (table | {"columns": columns}).items()}
        | {("seed",): split.seed},
        "parameters_data_prep.yml": {("split", key): value for key, value in split.parameters.items()},
        "parameters_feature_engineering.yml": _keys(sections, "features"),
        "parameters_inference.yml": {("inference", "keep"): keep},
        "parameters_serving.yml": {("serving", "log", "keys"): inferred.ids},
        "parameters_training.yml": _training(inferred, split) | _keys(sections, "estimator"),
        "parameters_packaging.yml": _gate(inferred, split),
        "parameters_monitoring.yml": {("monitoring", "min_rows"): min(200, max(30, split.rows["calibration"]))},
    }


def _keys(sections: dict[str, dict[str, Any]], name: str) -> dict[Key, Any]:
    return {(name, key): value for key, value in sections[name].items()}


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


def choose_datetime_parts(inferred: InferredContract) -> list[str]:
    """The values of `features.datetime_parts`: parts that recur, as months and years do not in a split by time.

    Without a time to count from, days since 1970 say how long ago a date is. With one, see `choose_days`.
    """
    times = [inferred.table[name] for name in inferred.contract.of_type("datetime")]
    hours = any((column.dt.hour != 0).any() for column in times)
    parts = ["hour", "weekday"] if hours or not times else ["weekday"]
    return parts if inferred.contract.time or not times else [*parts, "day", "month", "year", "days"]


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
    return {
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
    slices = {"metric": metric, "columns": columns, "min_rows": 500 if n_test >= 5000 else 200, "max_drop": 0.05}
    is_classification = inferred.contract.task == "classification"
    settings: dict[Key, Any] = {
        ("gate", "resample"): choose_resampling(inferred, split),
        ("gate", "metrics"): {"fallback_share": {"max": 0.2}},
        ("gate", "trivial"): {"metric": metric, "margin": 0.02},
        ("gate", "champion", "metric"): metric,
        ("gate", "champion", "tolerance"): choose_tolerance(n_test),
        ("gate", "champion", "tolerances"): {"expected_calibration_error": 0.5} if is_classification else {},
        ("gate", "champion", "min_rows"): max(10, min(500, n_test // 2)),
        ("gate", "pooled"): {"metric": metric, "refuse": False},
        ("gate", "slices"): slices if columns and n_test >= _MIN_SLICED else None,
    }
    # on fewer rows the calibration error is mostly noise
    calibrated = is_classification and n_test >= MIN_CALIBRATED
    return settings | {("gate", "max_calibration_error"): 0.15 if calibrated else None}


def choose_tolerance(n_test: int) -> float:
    """The value of `gate.champion.tolerance`: what so many test rows can tell from chance."""
    return round(min(_MAX_TOLERANCE, max(_MIN_TOLERANCE, _TOLERANCE / math.sqrt(n_test))), 3)


def choose_resampling(inferred: InferredContract, split: Split) -> str:
    """The value of `gate.resample`: days where there are enough in the test part, else groups or rows."""
    time = inferred.contract.time
    if time and split.parts.test[time].dt.normalize().nunique() >= _MIN_DAYS:
        return "days"
    return "group" if inferred.group else "rows"


def describe_left_out_rules(inferred: InferredContract, split: Split) -> list[str]:
    """The rules of the gate that are left out, and why."""
    n_test, gate = split.rows["test"], _gate(inferred, split)
    notes = []
    if gate["gate", "max_calibration_error"] is None and inferred.contract.task == "classification":
        notes.append(
            f"the gate has no limit on the calibration error: {n_test} test rows are fewer than {MIN_CALIBRATED}"
        )
    if gate["gate", "slices"] is None:
        why = f"{n_test} test rows are fewer than {_MIN_SLICED}"
        if not _slices(inferred):
            why = f"no category column has {_MAX_SLICE_VALUES} values or fewer"
        notes.append(f"the gate compares no slices with the champion: {why}")
    if inferred.contract.time and gate["gate", "resample"] != "days":
        why = f"the test part has fewer than {_MIN_DAYS} days"
        notes.append(f"the gate's intervals take test rows of one day as independent: {why}")
    return notes
