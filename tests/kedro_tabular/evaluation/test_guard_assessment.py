"""What the report says about the guard."""

import numpy as np
import pandas as pd
import pytest
from kedro_tabular.evaluation.guard_assessment import assess_guard
from kedro_tabular.modelling.guard import possible_classes

from ...conftest import fit_packaged, make_contract, make_table

EVALUATION = {"calibration_bins": 10, "importance_rows": 100, "importance_repeats": 1, "alphas": [0.1, 0.2]}


def assess(model, test, task="classification", threshold=None):
    model.threshold = threshold
    predictions = pd.concat([test[["answer"]], model.predict(test)], axis=1)
    answer = "number" if task == "regression" else "binary"
    parts = (model.preprocessor, model.estimator, model.guard, model.fallback)
    tables = (test, make_table(200, answer, seed=5), predictions)
    decision = None if threshold is None else {"threshold": threshold}
    return assess_guard(*tables, *parts, make_contract(task), EVALUATION, decision)[0], predictions


def test_coverage_is_claimed_only_for_rows_that_have_an_interval():
    model, test = fit_packaged("number"), make_table(400, "number", seed=7)
    outside = test.index % 4 == 0
    test.loc[outside, "size"] = 500.0
    test.loc[outside, "answer"] = 80.0  # far from what any model predicts
    assessment, predictions = assess(model, test, "regression")
    answered = predictions[predictions["source"] == "model"]
    assert predictions.loc[outside, ["lower", "upper"]].isna().all(axis=None)
    inside = answered["answer"].between(answered["lower"], answered["upper"]).mean()
    assert assessment["coverage"] == pytest.approx(inside)
    assert assessment["coverage"] > 0.7  # where 0.8 is the target
    assert assessment["levels"][1]["coverage"] == assessment["coverage"]  # of the same alpha
    assert assessment["model_share"] == pytest.approx(0.75, abs=0.03)


def test_a_row_that_falls_back_since_the_model_is_uncertain_has_a_prediction_set():
    model = fit_packaged("binary", actions={"uncertain": "fallback"})
    test = make_table(400, seed=7)
    test.loc[:99, "size"] = -1.0
    assessment, predictions = assess(model, test)
    uncertain = predictions["reasons"].map(lambda reasons: any(r.startswith("uncertain:") for r in reasons))
    assert 0 < uncertain.sum() < 300
    rows = test[predictions["source"].eq("model") | uncertain]
    scores = model.estimator.predict_proba(model.preprocessor.transform(model.contract.select(rows)))
    in_set = possible_classes(scores, model.guard.limit)[np.arange(len(rows)), rows["answer"]]
    assert assessment["coverage"] == pytest.approx(in_set.mean())


def test_accuracy_follows_the_decision():
    model, test = fit_packaged("binary"), make_table(400, seed=7)
    test.loc[:49, "size"] = -1.0
    for threshold in (None, 0.1):
        assessment, predictions = assess(model, test, threshold=threshold)
        assert assessment["combined"] == pytest.approx((predictions["prediction"] == test["answer"]).mean())
