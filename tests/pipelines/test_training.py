import pytest
from kedro_tabular.contract.contract import Contract
from kedro_tabular.modelling import serialization
from kedro_tabular.monitoring.binning import with_unique_names
from kedro_tabular.monitoring.profile import MonitoredColumn
from kedro_tabular.parameters import ParameterError
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.pipeline import Pipeline

from project.pipelines.feature_engineering.nodes import fit_preprocessor
from project.pipelines.training.nodes import train_estimator

from ..conftest import make_contract, make_table

FEATURES = {"max_codes": 20, "datetime_parts": ["hour"]}


def train(settings, answer="binary"):
    contract = make_contract("regression" if answer == "number" else "classification")
    table = make_table(300, answer)
    preprocessor, features = fit_preprocessor(table, contract, FEATURES, seed=0)
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
    features = fit_preprocessor(table, make_contract(), FEATURES, seed=0)[1]
    model = HistGradientBoostingClassifier(random_state=0).fit(features[["town"]], table["answer"])
    assert model.score(features[["town"]], table["answer"]) < 0.8


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
    preprocessor, features = fit_preprocessor(table, contract, FEATURES, seed=0)
    assert features.columns.is_unique
    assert [name for name in features if name.endswith("when_hour")] == ["numbers__when_hour", "datetimes__when_hour"]
    assert list(preprocessor.get_feature_names_out()) == list(features.columns)


def test_a_column_named_like_an_answer_is_watched_beside_it():
    column = MonitoredColumn(name="prediction", group="input", column="input.prediction", edges=[0.0, 1.0])
    answer = MonitoredColumn(name="prediction", group="output", column="prediction", values=["0", "1"])
    assert [one.name for one in with_unique_names([column, answer])] == ["prediction", "prediction (output)"]
    assert [one.column for one in with_unique_names([column, answer])] == ["input.prediction", "prediction"]
