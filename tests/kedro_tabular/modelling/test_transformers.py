import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from kedro_tabular.contract.contract import Contract
from kedro_tabular.modelling.dates import DatetimeParts, DaysBetween
from kedro_tabular.modelling.one_hot import OneHot
from kedro_tabular.modelling.preprocessing import FeatureSettings, build_preprocessor
from kedro_tabular.modelling.transformers import CategoryCodes, LeanColumnTransformer, Numbers, TargetMeans
from kedro_tabular.parameters import ParameterError
from sklearn.base import clone
from sklearn.compose import ColumnTransformer
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.model_selection import StratifiedKFold
from sklearn.preprocessing import OneHotEncoder, OrdinalEncoder, TargetEncoder

from project import features

from ...conftest import make_contract, make_table

CONTRACT = Contract.from_parameters(make_contract())
TRAIN = make_table(600)
FEATURES = FeatureSettings(max_codes=20, datetime_parts=list(DatetimeParts.PARTS))
TREES = "sklearn.ensemble.RandomForestClassifier"
FITTED = build_preprocessor(CONTRACT, FEATURES, TREES, features, TRAIN, seed=0)
FITTED.fit_transform(CONTRACT.select(TRAIN), TRAIN["answer"])


def assert_same(actual, expected):
    np.testing.assert_array_equal(actual, expected)  # NaN equals NaN here


def test_codes_and_means_equal_scikit_learns_on_seen_missing_and_unseen_values():
    folds = StratifiedKFold(5, shuffle=True, random_state=0)
    ours = LeanColumnTransformer(
        [("c", CategoryCodes(), ["colour", "town"]), ("m", TargetMeans(cv=folds), ["town"]), ("n", Numbers(), ["size"])]
    )
    stock = ColumnTransformer(
        [
            ("c", OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=np.nan), ["colour", "town"]),
            ("m", TargetEncoder(cv=folds), ["town"]),
            ("n", "passthrough", ["size"]),
        ]
    )
    live = make_table(300, seed=1)
    live.loc[:9, "town"] = "nowhere"
    assert_same(ours.fit_transform(TRAIN, TRAIN["answer"]), stock.fit_transform(TRAIN, TRAIN["answer"]))
    assert_same(ours.transform(live), stock.transform(live))
    assert list(ours.get_feature_names_out()) == list(stock.get_feature_names_out())


def test_means_of_several_classes_equal_scikit_learns():
    table = make_table(400, "text")
    folds = StratifiedKFold(5, shuffle=True, random_state=0)
    ours, stock = TargetMeans(cv=folds), TargetEncoder(cv=folds)
    columns = table[["town", "colour"]]
    assert_same(ours.fit_transform(columns, table["answer"]), stock.fit_transform(columns, table["answer"]))
    assert_same(ours.transform(columns), stock.transform(columns))


def test_date_time_parts_equal_those_of_pandas():
    times = pd.Series(pd.to_datetime(["1969-12-31 23:59", "2000-02-29 06:30", "2024-12-31 00:00", None]), name="t")
    made = DatetimeParts(DatetimeParts.PARTS).fit_transform(times.to_frame())
    parts = times.dt
    expected = [
        parts.hour + parts.minute / 60,
        parts.day_of_week,
        parts.day,
        parts.month,
        parts.day_of_year,
        parts.year,
        (times - pd.Timestamp("1970-01-01")) / pd.Timedelta(days=1),
    ]
    assert_same(made, np.stack(expected, axis=1))


def test_parts_that_do_not_vary_are_left_out():
    """Dates without a time of day have no hour."""
    days = pd.DataFrame({"day": pd.to_datetime(["2024-01-01", "2024-03-06", None])})
    parts = DatetimeParts(["hour", "weekday", "year"]).fit(days)
    assert list(parts.get_feature_names_out()) == ["day_weekday"]
    assert_same(parts.transform(days), [[0.0], [2.0], [np.nan]])
    constant = DatetimeParts(["hour"]).fit(days)
    assert constant.transform(days).shape == (3, 0)


def test_days_between_date_times():
    table = pd.DataFrame(
        {
            "signup": pd.to_datetime(["2024-01-01", "2024-01-02", None]),
            "trial_end": pd.to_datetime(["2024-01-31", "2024-02-01", "2024-02-02"]),  # always 30 days later
            "time": pd.to_datetime(["2024-02-01 12:00", "2024-03-01 00:00", "2024-04-01 00:00"]),
        }
    )
    days = DaysBetween().fit(table)
    assert list(days.get_feature_names_out()) == ["days_from_signup_to_time", "days_from_trial_end_to_time"]
    assert_same(days.transform(table), [[31.5, 1.5], [59.0, 29.0], [np.nan, 59.0]])


def test_a_signup_date_says_what_the_tenure_says():
    rng = np.random.default_rng(0)
    table = make_table(2000)
    tenure = rng.uniform(0, 1000, 2000)
    table["signup"] = (table["when"] - pd.to_timedelta(tenure, unit="D")).dt.floor("s")
    table["answer"] = (tenure < 300).astype(int)
    contract = make_contract()
    contract["columns"]["signup"] = {"type": "datetime"}
    schema = Contract.from_parameters(contract)
    settings = FeatureSettings(max_codes=20, datetime_parts=["hour", "weekday"])
    preprocessor = build_preprocessor(schema, settings, TREES, features, table[:1000], seed=0)
    made = preprocessor.fit_transform(schema.select(table[:1000]), table["answer"][:1000])
    model = HistGradientBoostingClassifier(max_iter=20).fit(made, table["answer"][:1000])
    assert model.score(preprocessor.transform(schema.select(table[1000:])), table["answer"][1000:]) > 0.98


def test_one_hot_equals_scikit_learns():
    """Rare values share a column, missing values have their own, unseen ones are 0 throughout."""
    values = ["red"] * 30 + ["blue"] * 20 + ["pink"] * 3 + ["grey"] * 2 + [None] * 5
    train = pd.DataFrame({"colour": values, "size": ["S", "L"] * 30}).astype("str")
    stock = OneHotEncoder(sparse_output=False, handle_unknown="ignore", min_frequency=5)
    ours = OneHot(min_rows=5).fit(train)
    live = pd.DataFrame({"colour": ["red", "pink", "mauve", None], "size": ["L", "S", "XL", "L"]})
    expected = ["colour=blue", "colour=red", "colour=(rare)", "colour=(missing)", "size=L", "size=S"]
    assert list(ours.get_feature_names_out()) == expected
    stock.fit(train.astype(object).where(train.notna(), None))
    names = list(stock.get_feature_names_out())
    assert names == ["colour_blue", "colour_red", "colour_None", "colour_infrequent_sklearn", "size_L", "size_S"]
    assert_same(
        ours.transform(live)[:, [0, 1, 3, 2, 4, 5]], stock.transform(live.astype(object).where(live.notna(), None))
    )


def test_an_unknown_date_time_part_is_refused():
    with pytest.raises(ValueError, match=r"unknown date-time parts \['minute'\]"):
        DatetimeParts(["minute"]).fit(TRAIN[["when"]])


def test_a_stock_transformer_can_be_added():
    encoder = OneHotEncoder(sparse_output=False, handle_unknown="ignore")
    mixed = LeanColumnTransformer([("hot", encoder, ["colour"]), ("n", Numbers(), ["size"]), ("no", "drop", ["town"])])
    assert mixed.fit(TRAIN).transform(TRAIN).shape == (len(TRAIN), 4)
    assert mixed.get_feature_names_out()[0] == "hot__colour_blue"


def test_fitting_again_forgets_the_earlier_categories():
    codes = CategoryCodes().fit(pd.DataFrame({"a": ["x", "y"]}))
    codes.transform(pd.DataFrame({"a": ["x"]}))
    assert_same(codes.fit(pd.DataFrame({"a": ["y", "z"]})).transform(pd.DataFrame({"a": ["z"]})), [[1.0]])
    assert_same(
        clone(codes).fit(pd.DataFrame({"a": ["z"]})).transform(pd.DataFrame({"a": ["z", "x"]})), [[0.0], [np.nan]]
    )


rows = st.fixed_dictionaries(
    {
        "colour": st.sampled_from(["blue", "red", "never seen", ""]),
        "town": st.one_of(st.none(), st.sampled_from(["town 1", "town 39"]), st.text(max_size=5)),
        "size": st.one_of(st.integers(0, 100), st.floats(0, 100)),
        "weight": st.one_of(st.none(), st.floats(allow_nan=True, allow_infinity=False)),
        "when": st.datetimes(pd.Timestamp("1700-01-01").to_pydatetime(), pd.Timestamp("2200-01-01").to_pydatetime()),
    }
)


@settings(max_examples=60, deadline=None)
@given(st.lists(rows, min_size=1, max_size=8), st.permutations(CONTRACT.features))
def test_a_row_is_preprocessed_alike_alone_in_a_batch_and_with_columns_reordered(batch, order):
    frame = pd.DataFrame(batch).astype({"size": float, "weight": float, "when": "datetime64[us]"})
    together = FITTED.transform(frame)
    assert together.shape == (len(batch), len(FITTED.get_feature_names_out()))
    assert_same(FITTED.transform(frame[order]), together)
    assert_same(np.concatenate([FITTED.transform(frame.iloc[[i]]) for i in range(len(batch))]), together)


def test_a_column_missing_throughout_and_an_unseen_category_are_preprocessed():
    live = make_table(20, seed=2).assign(weight=np.nan, town=None, colour="mauve")
    features = pd.DataFrame(FITTED.transform(live), columns=FITTED.get_feature_names_out())
    assert features["weight"].isna().all()
    assert features["colour"].isna().all()
    assert features["town"].between(0, 1).all()


def test_a_derived_feature_is_that_of_its_function_in_training_and_on_rows(monkeypatch):
    def density(weight, size, town):
        assert town.dtype == object
        return np.where(np.equal(town, None), np.nan, weight / size)

    monkeypatch.setattr(features, "density", density, raising=False)
    derived = FEATURES.model_copy(update={"derived": {"density": ["weight", "size", "town"]}})
    table = TRAIN.assign(size=TRAIN["size"].where(TRAIN.index != 0, 0))
    fitted = build_preprocessor(CONTRACT, derived, TREES, features, table, seed=0)
    made = fitted.fit_transform(CONTRACT.select(table), table["answer"])[:, -1]
    expected = (table["weight"] / table["size"]).where(table["town"].notna() & (table["size"] > 0))
    assert_same(made, expected)
    assert fitted.get_feature_names_out()[-1] == "density"
    rows = {name: table[name].to_numpy() for name in CONTRACT.columns}
    rows["town"] = table["town"].astype(object).where(table["town"].notna(), None).to_numpy()
    assert_same(fitted.transform(rows)[:, -1], expected)


@pytest.mark.parametrize(
    ("derived", "message"),
    [({"nothing": ["size"]}, "no function"), ({"x": ["y"]}, r"got \['y'\]"), ({"x": []}, r"got \[\]")],
)
def test_a_derived_feature_without_function_or_columns_is_refused(derived, message):
    with pytest.raises(ParameterError, match=message):
        build_preprocessor(CONTRACT, FEATURES.model_copy(update={"derived": derived}), TREES, features, TRAIN, seed=0)
