import numpy as np
import pytest
from kedro_tabular.contract.contract import Contract
from kedro_tabular.modelling import serialization
from kedro_tabular.monitoring.binning import with_unique_names
from kedro_tabular.monitoring.profile import MonitoredColumn
from kedro_tabular.parameters import ParameterError
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.metrics import roc_auc_score
from sklearn.pipeline import Pipeline

from project.pipelines.feature_engineering.nodes import fit_preprocessor
from project.pipelines.training.nodes import train_estimator

from ..conftest import make_contract, make_table

FEATURES = {"max_codes": 20, "datetime_parts": ["hour"]}
TREES = "sklearn.ensemble.HistGradientBoostingClassifier"


def train(settings, answer="binary"):
    contract = make_contract("regression" if answer == "number" else "classification")
    table = make_table(300, answer)
    preprocessor, features = fit_preprocessor(table, contract, FEATURES, settings.get("class", ""), seed=0)
    model = train_estimator(features, table, contract, settings, seed=0)
    return model, preprocessor.transform(Contract.from_parameters(contract).select(table))


@pytest.mark.parametrize(
    ("answer", "path"),
    [
        ("binary", "sklearn.ensemble.HistGradientBoostingClassifier"),
        ("binary", "sklearn.ensemble.RandomForestClassifier"),
        ("binary", "sklearn.linear_model.LogisticRegression"),
        ("text", "sklearn.neighbors.KNeighborsClassifier"),
        ("text", "sklearn.linear_model.LogisticRegression"),
        ("number", "sklearn.ensemble.HistGradientBoostingRegressor"),
        ("number", "sklearn.linear_model.Ridge"),
    ],
)
def test_an_estimator_is_changed_by_its_name_and_stored_also_when_it_takes_no_missing_values(
    answer, path, parameters, tmp_path
):
    model, features = train({"class": path}, answer)
    assert len(model.predict(features)) == 300
    serialization.dump(model, tmp_path / "model", parameters["trusted_types"])
    restored = serialization.load(tmp_path / "model", parameters["trusted_types"])
    assert (restored.predict(features) == model.predict(features)).all()
    named = model[-1] if isinstance(model, Pipeline) else model
    assert type(named).__name__ == path.rpartition(".")[2]


def test_the_seed_is_the_estimators_unless_it_names_one():
    path = "sklearn.ensemble.HistGradientBoostingClassifier"
    assert train({"class": path})[0].random_state == 0
    assert train({"class": path, "kwargs": {"random_state": 5}})[0].random_state == 5


def test_features_reach_the_estimator_without_the_answer_of_their_own_row():
    # Towns have nothing to do with the answer: encoded without cross-fitting, rare ones would give it away.
    table = make_table(300).assign(town=lambda t: "town " + t.index.astype(str))
    features = fit_preprocessor(table, make_contract(), FEATURES, TREES, seed=0)[1]
    model = HistGradientBoostingClassifier(random_state=0).fit(features[["town"]], table["answer"])
    assert model.score(features[["town"]], table["answer"]) < 0.8


def test_a_linear_model_gets_a_column_for_each_category():
    """Alphabetical codes say nothing to it where the middle ones are the high ones."""
    rng = np.random.default_rng(0)
    table = make_table(2000).assign(colour=rng.choice(list("abcd"), 2000))
    rates = table["colour"].map({"a": 0.1, "b": 0.8, "c": 0.7, "d": 0.2})
    table["answer"] = (rng.random(2000) < rates).astype(int)
    settings = {"class": "sklearn.linear_model.LogisticRegression"}
    preprocessor, features = fit_preprocessor(
        table[:1000], make_contract(), FEATURES, settings.get("class", ""), seed=0
    )
    model = train_estimator(features, table[:1000], make_contract(), settings, seed=0)
    new = preprocessor.transform(Contract.from_parameters(make_contract()).select(table[1000:]))
    assert roc_auc_score(table["answer"][1000:], model.predict_proba(new)[:, 1]) > 0.75
    assert {"colour=a", "colour=b", "colour=c", "colour=d"} <= set(features.columns)
    codes = fit_preprocessor(table, make_contract(), FEATURES | {"encoding": "ordinal"}, settings["class"], seed=0)[1]
    assert "colour" in codes
    assert "colour" in fit_preprocessor(table, make_contract(), FEATURES, TREES, seed=0)[1]


def test_whole_numbers_are_no_classes_for_the_encoder_of_a_regression():
    table = make_table(600, "number")
    table["answer"] = (table["answer"] * 100).round().astype(int)
    features = fit_preprocessor(table, make_contract("regression"), FEATURES, TREES, seed=0)[1]
    assert list(features.columns) == ["colour", "town", "size", "weight", "when_hour"]


class NumberedClasses(ClassifierMixin, BaseEstimator):
    """Accepts nothing but classes from 0 on, as XGBoost does."""

    def fit(self, X, y):
        if set(y) != set(range(len(set(y)))):
            raise ValueError(f"Invalid classes inferred. Expected: {list(range(len(set(y))))}, got {sorted(set(y))}")
        self.classes_ = np.unique(y)
        self.inner_ = HistGradientBoostingClassifier(max_iter=5, random_state=0).fit(X, y)
        return self

    def predict_proba(self, X):
        return self.inner_.predict_proba(X)

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = True
        return tags


@pytest.mark.parametrize(("answer", "classes"), [("text", ["high", "low", "middle"]), ("yes", ["No", "Yes"])])
def test_a_classifier_that_accepts_only_numbered_classes_predicts_the_users(answer, classes):
    contract, table = make_contract(), make_table(300, "text" if answer == "text" else "binary")
    if answer == "yes":
        table["answer"] = table["answer"].map({0: "No", 1: "Yes"})
    settings = {"class": f"{__name__}.NumberedClasses"}
    features = fit_preprocessor(table, contract, FEATURES, settings.get("class", ""), seed=0)[1]
    model = train_estimator(features, table, contract, settings, seed=0)
    assert model.classes_.tolist() == classes
    assert set(model.predict(features.to_numpy())) <= set(classes)
    assert (model.predict(features.to_numpy()) == table["answer"]).mean() > 0.7


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"class": "sklearn.ensemble.Nope"}, r"estimator\.class in conf/: there is no 'sklearn\.ensemble\.Nope'"),
        ({"class": "nowhere.Nope"}, "No module named 'nowhere'"),
        ({"class": "Nope"}, "there is no 'Nope'"),
        ({"class": "sklearn.metrics.roc_auc_score"}, "is not an estimator"),
        ({"class": "sklearn.linear_model.Ridge"}, r"is not for table\.task classification"),
        ({"class": "sklearn.svm.LinearSVC"}, "has no predict_proba"),
        ({"class": "sklearn.linear_model.LogisticRegression", "kwargs": {"CC": 1}}, r"estimator\.kwargs.*'CC'"),
        ({"class": "sklearn.linear_model.LogisticRegression", "kwargs": {"C": "a"}}, r"estimator\.kwargs.*'C'"),
        ({"class": "sklearn.linear_model.Ridge", "kwarg": {}}, r"estimator\.kwarg: "),
        ({}, r"estimator\.class: Field required"),
    ],
)
def test_an_estimator_that_cannot_be_built_is_refused_by_its_key(settings, message):
    with pytest.raises(ParameterError, match=message):
        train(settings)


def test_a_column_named_like_the_feature_of_another_is_a_feature_of_its_own():
    contract = make_contract()
    contract["columns"]["when_hour"] = {"type": "number"}
    table = make_table(100).assign(when_hour=5.0)
    preprocessor, features = fit_preprocessor(table, contract, FEATURES, TREES, seed=0)
    assert features.columns.is_unique
    assert [name for name in features if name.endswith("when_hour")] == ["numbers__when_hour", "datetimes__when_hour"]
    assert list(preprocessor.get_feature_names_out()) == list(features.columns)


def test_a_column_named_like_an_answer_is_watched_beside_it():
    column = MonitoredColumn(name="prediction", group="input", column="input.prediction", edges=[0.0, 1.0])
    answer = MonitoredColumn(name="prediction", group="output", column="prediction", values=["0", "1"])
    assert [one.name for one in with_unique_names([column, answer])] == ["prediction", "prediction (output)"]
    assert [one.column for one in with_unique_names([column, answer])] == ["input.prediction", "prediction"]
