"""The OpenAPI schema for a contract with any names."""

import numpy as np
import pytest
from kedro_tabular.contract import RowReasons, check_rows
from kedro_tabular.contract.contract import Contract
from kedro_tabular.serving.loaded_version import LoadedVersion
from kedro_tabular.serving.openapi import body_schemas

from ...conftest import make_contract

# Names that pydantic does not accept as fields, its own attributes, and some that are no identifiers.
NAMES = ["_id", "schema", "copy", "model_config", "class", "größe/kg", "Amount (EUR)", "is active?", "a\nb"]


@pytest.mark.filterwarnings("error")
def test_columns_and_classes_may_have_any_names():
    columns = {name: {"type": "number", "nullable": name == "copy", "max": 9} for name in NAMES}
    table = {"name": "odd", "target": "answer", "task": "classification", "columns": columns}
    schemas = body_schemas(LoadedVersion(None, None, Contract.from_parameters(table), NAMES))
    row = schemas["Row"]
    assert list(row["properties"]) == [*NAMES, "id"]
    assert row["required"] == [name for name in NAMES if name != "copy"]
    assert row["properties"]["_id"]["maximum"] == 9
    assert schemas["Rows"]["properties"]["records"]["examples"] == [[dict.fromkeys(NAMES, 9.0)]]
    assert schemas["Probability"]["required"] == NAMES


def test_the_example_is_made_up_within_the_contract():
    contract = Contract.from_parameters(make_contract())
    schemas = body_schemas(LoadedVersion(None, None, contract, ["0", "1"]))
    [[shown]] = schemas["Rows"]["properties"]["records"]["examples"]
    expected = {"colour": "text", "town": "text", "size": 50, "weight": 1, "when": "2025-01-31T12:00:00"}
    assert shown == expected
    rows = RowReasons(1, {})
    check_rows(contract, {name: np.array([value], dtype=object) for name, value in shown.items()}, rows)
    assert rows.to_array().tolist() == [()]
