"""The description of the service, for a contract of any names."""

import pandas as pd
import pytest

from kedro_tabular.contract.contract import Contract
from kedro_tabular.serving.deployment import Deployed
from kedro_tabular.serving.schema import body_schemas

# Names that pydantic does not take for fields, or has attributes of, and some that are no identifiers.
NAMES = ["_id", "schema", "copy", "model_config", "class", "größe/kg", "Amount (EUR)", "is active?", "a\nb"]


@pytest.mark.filterwarnings("error")
def test_columns_and_classes_may_have_any_names():
    columns = {name: {"type": "number", "nullable": name == "copy", "max": 9} for name in NAMES}
    table = {"name": "odd", "target": "answer", "task": "classification", "columns": columns}
    example = pd.DataFrame({name: [1.5] for name in NAMES})
    deployed = Deployed(None, None, Contract.from_parameters(table), example, NAMES)
    schemas = body_schemas(deployed)
    row = schemas["Row"]
    assert list(row["properties"]) == NAMES
    assert row["required"] == [name for name in NAMES if name != "copy"]
    assert row["properties"]["_id"]["maximum"] == 9
    assert schemas["Rows"]["properties"]["records"]["examples"] == [[dict.fromkeys(NAMES, 1.5)]]
    assert schemas["Probability"]["required"] == NAMES
