import pytest
from kedro_tabular.contract.contract import Contract
from kedro_tabular.contract.reasons import RowReasons
from kedro_tabular.contract.rows import check_rows
from kedro_tabular.contract.schema import build_schema
from kedro_tabular.modelling import make_signature
from kedro_tabular.parameters import ParameterError

from ...conftest import fit_packaged, make_contract, make_table


@pytest.mark.parametrize(
    ("change", "key"),
    [
        ({"task": "clustering"}, "table.task"),
        ({"target": None}, "table.target"),
        ({"unknown": 1}, "table.unknown"),
        ({"columns": {}}, "columns"),
        ({"columns": {"size": {"type": "numeric"}}}, "table.columns.size.type"),
        ({"columns": {"size": {"type": "number", "min": 3, "max": 2}}}, "table.columns.size"),
        ({"columns": {"colour": {"type": "category", "max": 2}}}, "table.columns.colour"),
        ({"columns": {"answer": {"type": "number"}}}, "answer"),
    ],
)
def test_an_invalid_contract_is_refused_by_the_name_of_its_key(change, key):
    with pytest.raises(ParameterError, match=key.replace(".", r"\.")):
        Contract.from_parameters(make_contract() | change)


def test_schema_preprocessing_signature_and_checks_have_the_same_columns():
    model, table = fit_packaged("binary"), make_table(300)
    contract, signature = model.contract, make_signature(model)

    assert signature.inputs.input_names() == contract.features
    assert set(build_schema(contract).columns) == {*contract.features, contract.target}
    assert {name for step in model.preprocessor.transformers for name in step[2]} == set(contract.features)
    assert list(check_rows(contract, table, RowReasons(len(table), {}))) == contract.features
    assert {*model.guard.categories, *model.guard.numbers} == set(contract.features) - {"when"}
    required = {column.name: column.required for column in signature.inputs.inputs}
    assert required == {name: not column.nullable for name, column in contract.columns.items()}
