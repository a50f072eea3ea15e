import numpy as np
import pandas as pd
import pytest
from kedro_tabular.contract.contract import ContractError
from kedro_tabular.contract.schema import ColumnsValidator, TableValidator

from ...conftest import make_contract, make_table


def test_a_valid_table_passes_unchanged():
    table = make_table(100).assign(note="ignored")
    pd.testing.assert_frame_equal(TableValidator(make_contract()).validate(table), table)


def test_all_failures_are_reported_at_once_with_columns_counts_and_values():
    table = make_table(100).drop(columns="colour")
    table.loc[[3, 4], "size"] = [-7.5, 101]
    table.loc[5, "when"] = pd.NaT
    table["weight"] = "heavy"

    with pytest.raises(ContractError) as error:
        TableValidator(make_contract()).validate(table)

    message = str(error.value)
    assert "missing columns: colour" in message
    assert "size is below 0 in 1 of 100 rows, for example [-7.5]" in message
    assert "size is above 100 in 1 of 100 rows, for example [101.0]" in message
    assert "when: 1 of 100 values are missing" in message
    assert "weight is not of type number: its dtype is str, for example ['heavy', 'heavy', 'heavy']" in message


@pytest.mark.parametrize(
    ("column", "values", "message"),
    [
        ("size", True, "size is not of type number"),
        ("size", np.inf, "size is infinite in 50 of 50 rows"),
        ("colour", 3, "colour is not of type category"),
        ("when", "2020-01-01", "when is not of type datetime"),
        ("answer", 1, "answer has only one value"),
        ("answer", None, "answer: 50 of 50 values are missing"),
    ],
)
def test_each_kind_of_failure_is_named(column, values, message):
    with pytest.raises(ContractError, match=message):
        TableValidator(make_contract()).validate(make_table(50).assign(**{column: values}))


def test_a_regression_needs_a_number_as_its_target():
    with pytest.raises(ContractError, match="answer is not of type number"):
        TableValidator(make_contract("regression")).validate(make_table(50, "text"))


def test_an_empty_table_is_refused():
    with pytest.raises(ContractError, match="no rows"):
        TableValidator(make_contract()).validate(make_table(5).head(0))


def test_a_table_without_a_contract_is_checked_by_its_columns():
    validator = ColumnsValidator({"size": {"type": "number", "min": 0}})
    with pytest.raises(ContractError, match="size is below 0 in 1 of 2 rows"):
        validator.validate(pd.DataFrame({"size": [1, -1]}))
