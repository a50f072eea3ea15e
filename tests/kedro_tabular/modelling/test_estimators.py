"""Estimators, and the private names of scikit-learn that build and fit them: a test fails when one of them goes."""

import numpy as np
import pandas as pd
import pytest
from kedro_tabular.contract.contract import Contract
from kedro_tabular.modelling import build_estimator, fit_on_features, serialization, with_input_steps
from kedro_tabular.parameters import ParameterError
from sklearn.ensemble import HistGradientBoostingRegressor
from sklearn.linear_model import Ridge
from threadpoolctl import threadpool_limits

from ...conftest import make_contract


def test_values_of_parameters_are_checked_before_the_fit():
    settings = {"class": "sklearn.ensemble.HistGradientBoostingClassifier", "kwargs": {"max_iter": "many"}}
    contract = Contract.from_parameters(make_contract())
    with pytest.raises(ParameterError, match=r"estimator\.kwargs in conf/ is not valid for .*'max_iter'"):
        build_estimator(settings, "estimator", contract, seed=0)


def test_numbers_are_scaled_and_columns_of_categories_are_not(tmp_path):
    rng = np.random.default_rng(0)
    features = pd.DataFrame({"amount": rng.normal(50, 9, 400), "town=a": rng.random(400) < 0.02, "only one": 1.0})
    features = features.astype(float)
    fitted = fit_on_features(with_input_steps(Ridge()), features, features["amount"])
    scaled = fitted[:-1].transform(features.to_numpy())
    assert abs(scaled[:, 0].mean()) < 1e-9
    assert scaled[:, 0].std() == pytest.approx(1)
    assert (scaled[:, 1:] == features.to_numpy()[:, 1:]).all()
    serialization.dump(fitted, tmp_path / "fitted", ["numpy.dtype", "kedro_tabular.*"])
    loaded = serialization.load(tmp_path / "fitted", ["numpy.dtype", "kedro_tabular.*"])
    assert (loaded.predict(features.to_numpy()) == fitted.predict(features.to_numpy())).all()


def test_the_number_of_threads_is_not_stored(tmp_path):
    features = pd.DataFrame(np.random.default_rng(0).normal(size=(100, 2)))
    for threads in (1, 2):
        with threadpool_limits(threads, "openmp"):
            trees = fit_on_features(HistGradientBoostingRegressor(max_iter=3, random_state=0), features, features[0])
        assert trees._bin_mapper.n_threads == 1
        serialization.dump(trees, tmp_path / str(threads), ["sklearn.*"])
    assert (tmp_path / "1").read_bytes() == (tmp_path / "2").read_bytes()
