"""How often the gate errs, by simulated retrainings whose truth is known: python benchmarks/gate.py [REPEATS]

The truth of a row is drawn, and each model scores it with an error: an equal challenger with errors of the champion's
size, a worse one with errors that cost exactly one or two tolerances of the main metric, a better one with errors that
gain one. The models share half of the variance of the champion's error. That is little: of boosted trees, forests and
linear models whose training rows overlap by half, the errors correlate by 0.7, 0.9 and 1.0. The rules are those that
`kedro adopt` writes for so many test rows.
"""
# ruff: noqa: T201

import math
import sys
from collections.abc import Callable, Iterator
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
from kedro.framework.project import configure_project
from kedro_tabular.adoption.settings import choose_tolerance
from kedro_tabular.contract import Contract
from kedro_tabular.evaluation import LabelledScores, compute_metrics
from kedro_tabular.gate import apply_rules, compare_models
from kedro_tabular.gate.packaging import Cost

ERROR = 0.4  # of the champion, as a share of the signal's standard deviation
SHARED = ERROR * math.sqrt(0.5)  # the part of it that a challenger has, too
SIZES = (1_000, 10_000)
POPULATION = 400_000
CONTRACTS = {
    task: {"name": "simulated", "target": "y", "task": task, "columns": {"x": {"type": "number"}}}
    for task in ("classification", "regression")
}
METRIC = {"classification": "roc_auc", "regression": "r2"}


def draw_truth(task: str, n: int, rng: np.random.Generator) -> pd.DataFrame:
    """Rows with their signal `x` and their target `y`."""
    signal = rng.normal(size=n)
    if task == "classification":
        return pd.DataFrame({"x": signal, "y": (rng.random(n) < 1 / (1 + np.exp(1 - 1.5 * signal))).astype(int)})
    return pd.DataFrame({"x": signal, "y": signal + rng.normal(scale=0.7, size=n)})


def predict(task: str, rows: pd.DataFrame, error: float, shared: np.ndarray, rng: np.random.Generator) -> pd.DataFrame:
    """Predictions of a model that sees the signal with an error, and is calibrated for it.

    `shared` is the part of the error that the other model has, too, in standard deviations, (n_rows,).
    """
    common = min(error, SHARED)
    seen = rows["x"] + common * shared + math.sqrt(error**2 - common**2) * rng.normal(size=len(rows))
    expected = seen / (1 + error**2)
    empty: Any = [()] * len(rows)
    if task == "regression":
        return pd.DataFrame({"prediction": expected, "reasons": empty})
    spread = error / math.sqrt(1 + error**2)  # of the signal, given what the model sees
    logit = (1.5 * expected - 1) / math.sqrt(1 + math.pi * (1.5 * spread) ** 2 / 8)
    probability = 1 / (1 + np.exp(-logit))
    return pd.DataFrame(
        {
            "prediction": (probability > 0.5).astype(int),
            "probability_0": 1 - probability,
            "probability_1": probability,
            "reasons": empty,
        }
    )


def measure(task: str, rows: pd.DataFrame, predictions: pd.DataFrame) -> dict[str, float]:
    """The metrics of predictions."""
    contract = Contract.from_parameters(CONTRACTS[task])
    return compute_metrics(LabelledScores.from_predictions(predictions.assign(y=rows["y"].to_numpy()), contract), 10)


def measure_population(task: str, population: pd.DataFrame, error: float) -> float:
    """The main metric of a model with this error."""
    rng = np.random.default_rng(2)
    predictions = predict(task, population, error, rng.normal(size=len(population)), rng)
    return measure(task, population, predictions)[METRIC[task]]


def error_for(task: str, target: float) -> float:
    """The error with which a model reaches a value of the main metric, by bisection on a large sample."""
    low, high = 0.0, 4 * ERROR
    rows = draw_truth(task, POPULATION, np.random.default_rng(1))
    for _ in range(18):
        middle = (low + high) / 2
        value = measure_population(task, rows, middle)
        low, high = (middle, high) if value > target else (low, middle)
    return (low + high) / 2


def make_gate(task: str, n: int) -> dict[str, Any]:
    """The rules for a champion as `kedro adopt` writes them."""
    rule = {
        "metric": METRIC[task],
        "mode": "not_worse",
        "tolerance": choose_tolerance(n),
        "tolerances": {"expected_calibration_error": 0.5} if task == "classification" else {},
        "unscoreable": "pass",
    }
    return {"promote": "auto", "resamples": 400, "confidence": 0.95, "champion": rule}


def simulate(task: str, n: int, error: float, gate: dict[str, Any], repeats: int) -> Iterator[list[str]]:
    """The rules that a challenger with this error fails, for each repeat."""
    contract = CONTRACTS[task]
    for seed in range(repeats):
        rng = np.random.default_rng([n, seed])
        rows = draw_truth(task, n, rng)
        shared = rng.normal(size=n)
        theirs, ours = predict(task, rows, ERROR, shared, rng), predict(task, rows, error, shared, rng)
        champion: Any = SimpleNamespace(
            version="1",
            changes=[],
            contract=contract,
            parameters={},
            seen_rows=np.empty(0, np.uint64),
            predict=constantly(theirs),
        )
        predictions = ours.assign(y=rows["y"].to_numpy())
        comparison = compare_models(champion, rows, predictions, contract, gate, {}, 10, seed)
        verdict = apply_rules(measure(task, rows, ours), comparison, Cost(1, 1), gate)
        yield [rule["rule"] for rule in verdict["rules"] if not rule["passed"]]


def constantly(predictions: pd.DataFrame) -> Callable[[pd.DataFrame], pd.DataFrame]:
    """A model that has these predictions."""
    return lambda rows: predictions


def main(repeats: int) -> None:
    """Print how often each kind of challenger is refused."""
    configure_project("project")
    print(f"{'task':15} {'rows':>6} {'tolerance':>9} {'challenger':22} {'refused':>8}  rules that refused")
    for task in CONTRACTS:
        population = draw_truth(task, POPULATION, np.random.default_rng(1))
        known = measure_population(task, population, ERROR)
        for n in SIZES:
            gate = make_gate(task, n)
            tolerance = gate["champion"]["tolerance"] * (1 - known)
            for title, tolerances in (("better by one", -1), ("equal", 0), ("worse by one", 1), ("worse by two", 2)):
                error = ERROR if tolerances == 0 else error_for(task, known - tolerances * tolerance)
                refusals = list(simulate(task, n, error, gate, repeats))
                refused = sum(map(bool, refusals))
                rules = pd.Series([rule for rules in refusals for rule in rules], dtype=object).value_counts().to_dict()
                print(f"{task:15} {n:6} {tolerance:9.4f} {title:22} {refused / repeats:8.1%}  {rules}", flush=True)


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 500)
