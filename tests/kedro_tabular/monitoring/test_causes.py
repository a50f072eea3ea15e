"""Findings of drift name what has moved, with its numbers."""

import re

import numpy as np
import pytest
from kedro_tabular.contract.contract import Contract
from kedro_tabular.monitoring.drift_checks import compare_columns
from kedro_tabular.monitoring.profile import Profile
from kedro_tabular.monitoring.profiling import as_rows
from kedro_tabular.monitoring.settings import Monitoring

from ...conftest import fit_packaged, make_contract, make_table
from .test_monitoring import make_profile


@pytest.fixture(scope="module")
def model():
    return fit_packaged("binary")


@pytest.fixture(scope="module")
def profile(model):
    return Profile.model_validate(make_profile(model))


@pytest.fixture
def findings(model, profile, parameters):
    """Checks changed rows: what the findings that are raised say, by subject."""
    settings = Monitoring.read("monitoring", parameters["monitoring"] | {"draws": 200})

    def check(**columns):
        table = make_table(1000, seed=21).assign(**columns)
        rows = as_rows(table, model.predict(table), Contract.from_parameters(make_contract()), ["0", "1"])
        found = [f for f in compare_columns(rows, profile, settings, 0)[0] if f.raised and f.check == "drift"]
        return {finding.subject: finding.says for finding in found}

    return check


def test_nothing_is_found_in_rows_like_the_reference(findings):
    assert findings() == {}


def test_missing_values_are_named_and_no_shift(findings):
    says = findings(size=lambda table: table["size"].where(np.arange(len(table)) % 4 > 0))
    assert list(says) == ["size"]
    assert "25.00% missing, reference 0.00%" in says["size"]
    assert "mean" not in says["size"]
    assert "deviation" not in says["size"].partition(": ")[2]


def test_a_shift_is_named_with_both_means(findings):
    says = findings(weight=lambda table: table["weight"] + 0.5)["weight"]
    mean = make_table(1000, seed=21)["weight"].mean() + 0.5
    assert f"mean {mean:.4g}, reference -0.0" in says
    assert "standard deviation 1" not in says
    assert "missing" not in says


def test_a_spread_is_named_and_no_shift(findings):
    says = findings(weight=lambda table: table["weight"] * 2)["weight"]
    assert "standard deviation 2." in says
    assert ", reference 1.0" in says or ", reference 0.9" in says
    assert "mean" not in says


def test_a_shape_is_named_by_the_bin_that_has_changed_most(findings):
    """The same mean and the same spread, but two peaks."""
    rng = np.random.default_rng(3)
    says = findings(weight=lambda table: rng.choice([-1.0, 1.0], len(table)) + rng.normal(scale=0.03, size=len(table)))
    assert "of values are" in says["weight"]
    assert "mean" not in says["weight"]


def test_numbers_outside_of_the_reference_are_named_and_no_shift_of_the_others(findings):
    says = findings(size=lambda table: table["size"].where(np.arange(len(table)) % 50 > 0, table["size"] * 1000))
    assert re.search(r": 2\.[01]% of rows are above 99\.9\d+, reference 0\.0%$", says["size"])


def test_several_causes_are_named_the_largest_first(findings):
    says = findings(
        weight=lambda table: (table["weight"] + 0.4).where(np.arange(len(table)) % 2 > 0),
        colour=lambda table: table["colour"].where(np.arange(len(table)) % 10 > 0, "purple"),
    )
    assert says["weight"].index("% missing") < says["weight"].index("mean")
    assert "10.0% of rows in categories unseen in training (purple 10.0%)" in says["colour"]


def test_a_category_that_has_grown_is_named_with_its_shares(findings):
    says = findings(colour=lambda table: table["colour"].where(np.arange(len(table)) % 2 > 0, "red"))["colour"]
    assert "of values are red, reference 3" in says


def test_what_a_client_wrote_is_one_short_line(findings):
    hostile = "\x1b[31mred\n" + "z" * 20_000
    says = findings(colour=lambda table: table["colour"].where(np.arange(len(table)) % 10 > 0, hostile))["colour"]
    assert len(says) < 250
    assert says.isprintable()


def test_all_values_missing_or_infinite_are_told(findings):
    assert "100.00% missing" in findings(weight=np.nan)["weight"]
    assert (
        "above" in findings(weight=lambda table: table["weight"].where(np.arange(len(table)) % 5 > 0, 1e300))["weight"]
    )
