"""What `kedro adopt` tells a person to check."""

import numpy as np
import pytest
from kedro_tabular.contract.contract import ContractError

from ...conftest import make_table
from .test_settings import infer


def test_spellings_of_one_category_are_told_with_counts(tmp_path):
    table = make_table(600)
    table.loc[:29, "colour"], table.loc[30:39, "colour"] = "Red", " red "
    table.loc[40:44, "town"] = "Town  7"
    warnings = [warning for warning in infer(table, tmp_path, time="when").warnings if "several ways" in warning]
    n_red = (table["colour"] == "red").sum()
    assert f"'colour': 1 category is spelt in several ways, for example 'red' ({n_red} rows)" in warnings[0]
    assert "'Red' (30 rows), ' red ' (10 rows)" in warnings[0]
    assert "'Town  7' (5 rows)" in warnings[1]
    assert len(warnings) == 2


def test_spellings_of_one_class_are_told(tmp_path):
    table = make_table(600, "text")
    table.loc[table.index[table["answer"] == "low"][:20], "answer"] = "LOW "
    warnings = infer(table, tmp_path, time="when").warnings
    assert any("'answer': 1 category is" in warning and "'LOW ' (20 rows)" in warning for warning in warnings)


@pytest.mark.parametrize("options", [{}, {"ids": ("order_id",)}])
def test_rows_with_the_same_id_are_told(tmp_path, options):
    table = make_table(600).assign(order_id=[f"A{n}" for n in range(600)])
    assert not any("order_id" in warning for warning in infer(table, tmp_path, **options).warnings)
    table.loc[[7, 9], "order_id"] = "A3"
    told = [warning for warning in infer(table, tmp_path, **options).warnings if "order_id" in warning]
    assert len(told) == 1
    assert "'order_id': 3 of 600 rows share their value with others, for example A3 is in 3 rows" in told[0]
    assert ("--id 'order_id'" in told[0]) == (not options)


def test_ids_of_several_columns_repeat_only_together(tmp_path):
    table = make_table(600).assign(shop=np.arange(600) // 20, order=np.arange(600) % 20)
    both = {"ids": ("shop", "order")}
    assert not any("share their value" in warning for warning in infer(table, tmp_path, **both).warnings)
    table.loc[21, "order"] = 0
    assert any(
        "'shop' and 'order': 2 of 600 rows share their value with others, for example 1, 0 is in 2 rows" in warning
        for warning in infer(table, tmp_path, **both).warnings
    )


def test_the_model_has_the_name_of_the_file_or_its_own(tmp_path):
    table = make_table(300)
    assert infer(table, tmp_path).contract.name == "orders_2024"
    assert infer(table, tmp_path, name="returns").contract.name == "returns"
    with pytest.raises(ContractError, match=r"takes lower-case letters.*: --name my_returns"):
        infer(table, tmp_path, name="My returns")
