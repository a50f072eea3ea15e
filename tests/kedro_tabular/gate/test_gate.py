from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from kedro_tabular.contract import Contract, ContractError, hash_rows, row_columns
from kedro_tabular.evaluation.metrics import LabelledScores, compute_metrics
from kedro_tabular.gate.comparison import compare_models
from kedro_tabular.gate.packaging import Cost
from kedro_tabular.gate.report import write_report
from kedro_tabular.gate.rules import apply_rules
from kedro_tabular.parameters import ParameterError
from sklearn.metrics import roc_auc_score

from ...conftest import make_contract, make_table
from .test_packaging import GUARD_ASSESSMENT

LOW_COST = Cost(latency_ms=10, size_mb=1)
GATE = {
    "promote": "auto",
    "resamples": 60,
    "confidence": 0.95,
    "metrics": {"roc_auc": {"min": 0.6}},
    "trivial": {"metric": "roc_auc", "margin": 0.05},
    "champion": {
        "metric": "roc_auc",
        "mode": "not_worse",
        "metrics": ["roc_auc"],
        "tolerance": 0.02,
        "unscoreable": "pass",
    },
    "slices": {"metric": "roc_auc", "columns": ["colour"], "min_rows": 100, "max_drop": 0.05},
    "max_calibration_error": 0.5,
    "max_latency_ms": 100,
    "max_size_mb": 10,
}


def with_changes(**sections):
    gate = dict(GATE)
    for name, value in sections.items():
        gate[name] = gate[name] | value if isinstance(value, dict) else value
    return gate


def predict(table, noise, seed=0):
    """The predictions of a model whose scores are the true values with that much noise."""
    rng = np.random.default_rng(seed)
    margin = (table["answer"] * 2 - 1) + noise * rng.normal(size=len(table))
    probability = 1 / (1 + np.exp(-margin))
    return pd.DataFrame(
        {
            "prediction": (probability > 0.5).astype("Int64"),
            "probability_0": 1 - probability,
            "probability_1": probability,
            "reasons": [()] * len(table),
        }
    )


def champion_with(predictions, version="1"):
    """A champion that was trained on none of the rows of the table."""
    changes = [("data", "table", "old", "new")]
    return SimpleNamespace(
        version=version,
        changes=changes,
        parameters={},
        contract=make_contract(),
        seen_rows=np.empty(0, dtype=np.uint64),
        predict=lambda rows: predictions,
    )


@pytest.fixture(scope="module")
def table():
    return make_table(1500)


def compare(table, challenger, champion, gate=GATE, contract=None):
    contract = contract or make_contract()
    predictions = pd.concat([table[["answer"]], challenger.drop(columns="reasons")], axis=1)
    comparison = compare_models(champion, table, predictions, contract, gate, {}, 10, seed=0)
    scored = LabelledScores.from_predictions(predictions, SimpleNamespace(**contract))
    metrics = compute_metrics(scored, 10) | {"dummy_roc_auc": 0.5}
    return apply_rules(metrics, comparison, LOW_COST, gate), comparison, metrics


def failed(verdict):
    return [rule["rule"] for rule in verdict["rules"] if not rule["passed"]]


def test_without_a_champion_the_other_rules_decide(table):
    verdict, _, _ = compare(table, predict(table, 1), None)
    assert verdict["verdict"] == "passed"
    assert {"challenger", "low", "high"} == set(verdict["metrics"]["roc_auc"])
    worthless, _, _ = compare(table, predict(table, 1e6), None)
    assert failed(worthless) == ["metric roc_auc", "trivial model"]


def test_a_champion_for_another_time_zone_is_not_compared(table):
    champion = champion_with(predict(table, 1))
    champion.contract["timezone"] = "Europe/Berlin"
    _, comparison, _ = compare(table, predict(table, 1), champion)
    assert comparison.incompatible
    assert "in the time zone Europe/Berlin, those of the table in UTC" in comparison.problem


@pytest.mark.parametrize(
    ("noise", "mode", "passes"),
    [
        (1.0, "not_worse", True),  # the same predictions
        (1.0, "significantly_better", False),
        (0.7, "not_worse", True),  # better ones
        (0.7, "significantly_better", True),
        (1.5, "not_worse", False),  # worse ones
        (1.5, "significantly_better", False),
    ],
)
def test_the_champion_is_compared_as_the_mode_says(table, noise, mode, passes):
    champion = champion_with(predict(table, 1.0))
    gate = with_changes(champion={"mode": mode}, slices={"max_drop": 1.0})
    verdict, _, _ = compare(table, predict(table, noise), champion, gate)
    assert failed(verdict)[:1] == ([] if passes else ["champion"])
    assert verdict["champion"] == "1"


def test_a_slice_that_loses_is_named_though_the_whole_gains(table):
    challenger = predict(table, 0.2)
    red = table["colour"] == "red"
    challenger.loc[red] = predict(table, 2.5, seed=1).loc[red]
    champion = champion_with(predict(table, 1.6))
    verdict, comparison, metrics = compare(table, challenger, champion)
    assert verdict["metrics"]["roc_auc"]["gain_low"] > 0
    assert failed(verdict) == ["slice colour = red"]
    report = write_report(
        verdict,
        comparison,
        metrics | dict.fromkeys([f"dummy_{name}" for name in metrics], 0.5),
        {},
        "<svg/>",
        GUARD_ASSESSMENT,
        "<svg/>",
        {},
        make_contract(),
    )
    assert "Refused by the gate" in report
    assert "Colour = red" in report
    assert "Calibration of challenger and champion" in report


def test_small_slices_are_not_judged(table):
    _, comparison, _ = compare(table, predict(table, 1), None, with_changes(slices={"min_rows": 1501}))
    assert comparison.slices == []


@pytest.mark.parametrize("unscoreable", ["pass", "refuse"])
def test_a_champion_that_cannot_score_counts_as_conf_says(table, unscoreable):
    def fail(rows):
        raise ContractError("missing columns: colour")

    champion = SimpleNamespace(version="3", changes=[], predict=fail)
    gate = with_changes(champion={"unscoreable": unscoreable})
    verdict, comparison, _ = compare(table, predict(table, 1), champion, gate)
    assert failed(verdict) == ([] if unscoreable == "pass" else ["champion"])
    assert comparison.problem == "missing columns: colour"
    (rule,) = (rule for rule in verdict["rules"] if rule["rule"] == "champion")
    assert "missing columns: colour" in rule["why"]


@pytest.mark.parametrize(
    "error", [MemoryError(), RuntimeError("the model's process ended: Killed"), OSError("no file")]
)
def test_a_champion_that_fails_for_another_reason_is_never_replaced(table, error):
    def fail(rows):
        raise error

    champion = SimpleNamespace(version="3", changes=[], predict=fail)
    verdict, comparison, _ = compare(table, predict(table, 1), champion)  # unscoreable: pass
    assert failed(verdict) == ["champion"]
    assert comparison.problem == (str(error) or "MemoryError")


def test_rows_that_the_champion_was_trained_on_are_left_out(table):
    """The champion knows half of the rows by heart; on the other rows the challenger is better."""
    contract, known = make_contract(), np.arange(len(table)) % 2 == 0
    theirs = predict(table, 1.6)
    theirs.loc[known] = predict(table, 0.01).loc[known]
    champion = champion_with(theirs)
    ours = predict(table, 1.4)
    assert failed(compare(table, ours, champion)[0])
    schema = Contract.from_parameters(contract)
    champion.seen_rows = hash_rows(table[known], schema, row_columns(schema))
    verdict, comparison, _ = compare(table, ours, champion)
    assert failed(verdict) == []
    assert (comparison.rows, comparison.seen) == (750, 750)
    assert verdict["metrics"]["roc_auc"]["gain"] > 0

    champion.seen_rows = hash_rows(table[20:], schema, row_columns(schema))
    verdict, comparison, _ = compare(table, ours, champion)
    assert failed(verdict) == ["champion"]
    assert "only 20 of 1,500 test rows are new to both models" in comparison.problem


def test_training_rows_are_recognised_by_the_champions_own_contract(table):
    """A column that was added to the contract since changes no row."""
    own = make_contract()
    del own["columns"]["weight"]
    champion = champion_with(predict(table, 1))
    champion.contract, schema = own, Contract.from_parameters(own)
    champion.seen_rows = hash_rows(table[:700], schema, row_columns(schema))
    _, comparison, _ = compare(table, predict(table, 1), champion)
    assert comparison.seen == 700
    champion.contract = own | {"columns": own["columns"] | {"gone": {"type": "number"}}}
    verdict, comparison, _ = compare(table, predict(table, 1), champion)
    assert failed(verdict) == ["champion"]
    assert "'gone'" in comparison.problem


def test_a_champion_of_an_earlier_release_is_compared_after_its_calibration_days(table):
    champion = champion_with(predict(table, 1))
    champion.seen_rows, champion.parameters = None, {"split.calibration": "2020-03-31", "table.time": "when"}
    _, comparison, _ = compare(table, predict(table, 1), champion)
    assert comparison.seen == (table["when"] < "2020-04-01").sum()
    champion.parameters = {"split.calibration": "0.2"}
    verdict, comparison, _ = compare(table, predict(table, 1), champion)
    assert failed(verdict) == ["champion"]
    assert "does not record" in comparison.problem


def test_a_metric_that_is_clearly_worse_refuses_though_the_main_one_is_not(table):
    """The same ranking with extreme probabilities: the ROC AUC is the same, the log loss is not."""
    champion, challenger = predict(table, 1.0), predict(table, 1.0)
    margin = np.log(challenger["probability_1"] / challenger["probability_0"])
    challenger["probability_1"] = 1 / (1 + np.exp(-5 * margin))
    challenger["probability_0"] = 1 - challenger["probability_1"]
    verdict, _, _ = compare(table, challenger, champion_with(champion), with_changes(champion={"metrics": []}))
    assert verdict["metrics"]["roc_auc"]["gain"] == 0
    assert "champion log_loss" in failed(verdict)
    verdict, _, _ = compare(
        table, challenger, champion_with(champion), with_changes(champion={"metrics": ["accuracy"]})
    )
    assert failed(verdict) == ["champion log_loss"]  # a proper score always counts
    tolerant = with_changes(champion={"metrics": ["accuracy"], "tolerances": {"log_loss": 10}})
    assert failed(compare(table, challenger, champion_with(champion), tolerant)[0]) == []


def test_a_tolerance_is_a_share_of_what_is_left_to_gain(table):
    """0.02 is nothing for a ROC AUC of 0.7, and a catastrophe for one of 0.9995."""
    champion, challenger = predict(table, 0.3), predict(table, 0.5)
    gate = with_changes(champion={"metrics": ["roc_auc"], "tolerance": 0.02, "tolerances": {"log_loss": 10}})
    verdict, _, _ = compare(table, challenger, champion_with(champion), gate)
    assert verdict["metrics"]["roc_auc"]["champion"] > 0.999
    assert -0.02 < verdict["metrics"]["roc_auc"]["gain"] < 0
    assert failed(verdict) == ["champion"]


def test_the_interval_must_be_better_than_the_baseline_too():
    """A coin's side has an ROC AUC of 0.57 on few rows."""
    table = make_table(58)
    lucky = next(
        coin
        for seed in range(100)
        if 0.56 < roc_auc_score(table["answer"], (coin := predict(table, 50, seed))["probability_1"]) < 0.6
    )
    gate = with_changes(metrics={"roc_auc": {"min": 0.5}}, trivial={"margin": 0.02})
    assert failed(compare(table, lucky, None, gate)[0]) == ["trivial model"]


def test_days_are_drawn_as_a_whole(table):
    """A model that errs on whole days: drawing rows takes the days for certain."""
    day = table["when"].dt.normalize()
    bad_days = day.drop_duplicates().sample(frac=0.2, random_state=1)
    challenger = predict(table, 1.0)
    is_bad = day.isin(bad_days)
    challenger.loc[is_bad] = predict(table, 8, seed=4).loc[is_bad]
    widths = {}
    for resample in ("rows", "days"):
        verdict, _, _ = compare(table, challenger, champion_with(predict(table, 1.0)), GATE | {"resample": resample})
        interval = verdict["metrics"]["log_loss"]
        widths[resample] = interval["gain_high"] - interval["gain_low"]
    assert widths["days"] > 1.2 * widths["rows"]


def test_groups_are_drawn_as_a_whole_and_must_be_known(table):
    contract, predictions = make_contract(), pd.concat([table[["answer"]], predict(table, 1)], axis=1)
    gate = GATE | {"resample": "group", "slices": None}
    comparison = compare_models(None, table, predictions, contract, gate, {"group": "town"}, 10, 0)
    assert comparison.metrics["log_loss"]["low"] < comparison.metrics["log_loss"]["challenger"]
    with pytest.raises(ParameterError, match=r"split\.group"):
        compare_models(None, table, predictions, contract, gate, {}, 10, 0)
    with pytest.raises(ParameterError, match=r"table\.time"):
        compare_models(None, table, predictions, make_contract(time=None), GATE | {"resample": "days"}, {}, 10, 0)


def test_a_champion_for_another_task_cannot_score(table):
    numbers = pd.DataFrame({"prediction": np.ones(len(table)), "reasons": [()] * len(table)})
    _, comparison, _ = compare(table, predict(table, 1), champion_with(numbers))
    assert comparison.problem == "it is not a classification"


def test_rows_that_the_champion_rejects_are_excluded_from_the_comparison(table):
    theirs = predict(table, 1)
    theirs.loc[:99, ["prediction", "probability_0", "probability_1"]] = None
    _, comparison, _ = compare(table, predict(table, 1), champion_with(theirs))
    assert comparison.rejected == 100
    assert comparison.metrics["roc_auc"]["gain"] == 0


def test_a_class_that_the_champion_does_not_know_has_the_probability_0(table):
    theirs = predict(table, 1)
    ours = theirs.assign(probability_2=0.0)
    _, comparison, _ = compare(table, ours, champion_with(theirs), with_changes(slices={"columns": []}))
    assert comparison.problem is None
    assert comparison.metrics["log_loss"]["gain"] == 0
    assert comparison.metrics["roc_auc"]["gain_low"] == 0  # and no row is of it


@pytest.mark.parametrize(
    ("cost", "rule"),
    [(Cost(101, 1), "latency in ms"), (Cost(1, 11), "size in MB"), (Cost(float("nan"), 1), "latency in ms")],
)
def test_what_costs_too_much_is_refused(table, cost, rule):
    _, comparison, metrics = compare(table, predict(table, 1), None)
    assert failed(apply_rules(metrics, comparison, cost, GATE)) == [rule]


def test_a_rule_that_is_left_out_is_not_applied(table):
    gate = {name: GATE[name] for name in ("promote", "resamples", "confidence")}
    verdict, _, _ = compare(table, predict(table, 3), champion_with(predict(table, 1)), gate)
    assert (verdict["verdict"], verdict["rules"], verdict["slices"]) == ("passed", [], [])


def test_the_calibration_error_has_a_limit(table):
    gate = with_changes(max_calibration_error=0.01)
    assert failed(compare(table, predict(table, 1), None, gate)[0]) == ["calibration error"]


@pytest.mark.parametrize(
    ("sections", "key"),
    [
        ({"metrics": {"nope": {"min": 1}}}, "gate.metrics.nope"),
        ({"trivial": {"metric": "nope"}}, "gate.trivial.metric"),
        ({"champion": {"metric": "nope"}}, "gate.champion.metric"),
        ({"slices": {"columns": ["nope"]}}, "gate.slices.columns"),
        ({"promote": "sometimes"}, "gate.promote"),
    ],
)
def test_a_rule_that_cannot_be_applied_is_named(table, sections, key):
    with pytest.raises(ParameterError, match=key):
        compare(table, predict(table, 1), None, with_changes(**sections))


def test_a_regression_is_compared_by_its_own_metrics():
    table = make_table(800, "number")
    contract = make_contract("regression")
    rng = np.random.default_rng(0)
    near, far = (
        pd.DataFrame(
            {"prediction": table["answer"] + scale * rng.normal(size=len(table)), "reasons": [()] * len(table)}
        )
        for scale in (0.1, 0.5)
    )
    gate = with_changes(
        champion={"metric": "rmse", "metrics": [], "mode": "significantly_better"}, slices={"metric": "mae"}
    ) | {"metrics": {"r2": {"min": 0}}, "trivial": None, "max_calibration_error": None}
    verdict, comparison, _ = compare(table, near, champion_with(far), gate, contract)
    assert failed(verdict) == []
    assert comparison.calibration == ""
    assert failed(compare(table, far, champion_with(near), gate, contract)[0])[0] == "champion"
