"""Does the model of a segment pay? It is compared with that of all rows, on its own test rows."""

import pandas as pd
import pytest
from kedro_tabular.gate.comparison import compare_models, compare_with_pooled
from kedro_tabular.gate.rules import apply_rules

from ...conftest import make_contract, make_table
from .test_gate import GATE, LOW_COST, champion_with, predict

RULE = {"metric": "roc_auc", "refuse": False}


def judge(noise, pooled_noise, rule, pooled=None):
    """The verdict on a model and the rule about a pooled model; more noise is a worse model."""
    table = make_table(1500)
    predictions = pd.concat([table[["answer"]], predict(table, noise).drop(columns="reasons")], axis=1)
    gate = GATE | {"pooled": rule}
    settings = (table, predictions, make_contract(), gate, {}, 10, 0)
    pooled = pooled or champion_with(predict(table, pooled_noise, seed=1), "7")
    verdict = apply_rules(
        {"roc_auc": 0.9, "expected_calibration_error": 0.01, "dummy_roc_auc": 0.5},
        compare_models(None, *settings),
        LOW_COST,
        gate,
        compare_with_pooled(pooled, *settings),
    )
    return verdict, next(result for result in verdict["rules"] if result["rule"] == "pooled")


@pytest.mark.parametrize(
    ("noise", "pooled_noise", "found"), [(1, 2, "better"), (2, 1, "worse"), (1, 1, "no clear difference")]
)
@pytest.mark.parametrize("refuse", [True, False])
def test_a_model_that_is_worse_than_the_pooled_one_is_told_and_refused_if_so_set(noise, pooled_noise, found, refuse):
    verdict, result = judge(noise, pooled_noise, RULE | {"refuse": refuse})
    assert result["why"].endswith(found)
    assert "the pooled model's (version 7)" in result["why"]
    assert result["passed"] == (found != "worse" or not refuse)
    assert (verdict["pooled"]["version"], verdict["pooled"]["found"]) == ("7", found)
    assert verdict["pooled"]["metrics"]["roc_auc"]["gain_low"] is not None


@pytest.mark.parametrize("refuse", [True, False])
def test_what_can_not_be_compared_is_refused_if_so_set(refuse):
    broken = champion_with(None, "7")
    _, result = judge(1, 1, RULE | {"refuse": refuse}, broken)
    assert result["passed"] != refuse
    assert "can't be compared with the pooled model, version 7" in result["why"]


def test_the_model_of_all_rows_is_compared_with_no_other():
    table = make_table(300)
    assert compare_with_pooled(None, table, table, make_contract(), GATE, {}, 10, 0) == []
