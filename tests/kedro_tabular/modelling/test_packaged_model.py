import numpy as np
import pandas as pd
import pytest
from kedro_tabular.contract.contract import ContractError
from kedro_tabular.modelling import PackagedModel, make_signature

from ...conftest import fit_packaged, make_table


@pytest.fixture(scope="module")
def binary() -> PackagedModel:
    return fit_packaged("binary")


@pytest.mark.parametrize(
    ("answer", "columns", "kind"),
    [
        ("binary", ["probability_0", "probability_1"], "i"),
        ("text", ["probability_high", "probability_low", "probability_middle"], "O"),
        ("number", ["lower", "upper"], "f"),
    ],
)
def test_predictions_have_the_columns_of_the_signature_for_each_task(answer, columns, kind):
    model = fit_packaged(answer)
    predictions = model.predict(make_table(30, answer, seed=1))
    assert list(predictions.columns) == ["prediction", *columns, "source", "reasons"]
    assert list(predictions.columns) == make_signature(model).outputs.input_names()[:-1]  # without `explanation`
    assert predictions["prediction"].dtype.kind == kind
    assert set(predictions["source"]) == {"model"}
    if answer != "number":
        np.testing.assert_allclose(predictions[columns].sum(axis=1), 1)
        best = predictions[columns].idxmax(axis=1).str.removeprefix("probability_")
        assert (best == predictions["prediction"].astype(str)).all()


def test_two_classes_are_predicted_by_the_threshold_also_by_the_fallback():
    model, live = fit_packaged("binary"), make_table(60, seed=1)
    live.loc[:19, "size"] = -1.0
    before = model.predict(live)
    for threshold in (0.1, 0.9):
        model.threshold = threshold
        predictions = model.predict(live)
        assert (predictions["prediction"] == (predictions["probability_1"] > threshold)).all()
        assert (predictions["prediction"] != before["prediction"]).any()
        pd.testing.assert_frame_equal(predictions.drop(columns="prediction"), before.drop(columns="prediction"))
    model.threshold = 0.5
    pd.testing.assert_frame_equal(model.predict(live), before, check_exact=True)


def test_the_estimator_gets_the_features_of_the_preprocessing(binary):
    live = make_table(50, seed=1)
    features = binary.preprocessor.transform(binary.contract.select(live))
    expected = binary.estimator.predict_proba(features)
    predictions = binary.predict(live)
    assert (predictions[["probability_0", "probability_1"]].to_numpy() == expected).all()


def test_order_and_index_are_kept_even_when_the_index_repeats(binary):
    live = make_table(6, seed=1)
    live.index = [7, 7, 3, "x", 0, 7]
    live.loc["x", "size"] = -1.0
    predictions = binary.predict(live)
    assert list(predictions.index) == list(live.index)
    assert list(predictions["source"]) == ["model"] * 3 + ["fallback"] + ["model"] * 2


def test_an_invalid_row_goes_to_the_fallback_and_does_not_affect_the_others(binary):
    live = make_table(20, seed=1)
    expected = binary.predict(live)
    invalid = live.astype({"size": object})
    invalid.loc[4, "size"] = "big"
    predictions = binary.predict(invalid)
    assert predictions.loc[4, "reasons"] == ("wrong_type:size=big",)
    rates = binary.fallback.predict_proba(live.loc[[4]])[0]
    assert predictions.loc[4, ["probability_0", "probability_1"]].tolist() == rates.tolist()
    assert predictions.loc[4, "source"] == "fallback"
    pd.testing.assert_frame_equal(predictions.drop(index=4), expected.drop(index=4))


def test_only_invalid_rows_and_no_rows_are_predicted_too(binary):
    live = make_table(3, seed=1).assign(size=-1.0)
    assert binary.predict(live)["source"].tolist() == ["fallback"] * 3
    assert binary.predict(live.head(0)).shape == (0, 5)


def test_missing_columns_are_refused(binary):
    with pytest.raises(ContractError, match="missing columns: town"):
        binary.predict(make_table(3).drop(columns="town"))
