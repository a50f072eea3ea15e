"""`kedro adopt --by`: which values get a model, what it is called, and what the gate then asks for."""

import shutil

import pytest
import yaml
from kedro_tabular.adoption import Changes, Options, choose_split, infer_contract, open_source, plan_models
from kedro_tabular.contract import ContractError

from ...conftest import ROOT, make_table


def plan(tmp_path, values, column="store_id", limit=100):
    """The planned files, and the lines, for a table with these values in turn; the last is rare."""
    table = make_table(1200).drop(columns="town")
    table[column] = [values[i % len(values)] if i % 40 else "rare" for i in range(len(table))]
    if all(isinstance(value, int) for value in values):
        table[column] = [values[i % len(values)] if i % 40 else 99 for i in range(len(table))]
    table.to_csv(tmp_path / "sales.csv", index=False)
    (tmp_path / "conf" / "base").mkdir(parents=True)
    shutil.copy(ROOT / "conf" / "base" / "parameters_packaging.yml", tmp_path / "conf" / "base")
    inferred = infer_contract(open_source(tmp_path / "sales.csv"), Options(target="answer", time="when", by=column))
    changes = Changes(tmp_path)
    lines = plan_models(
        inferred.contract, choose_split(inferred, 0).parts, column, {"segment_rows": limit}, changes, inferred.left_out
    )
    texts = {path.relative_to(tmp_path / "conf").as_posix(): text for path, text in changes.texts.items()}
    return texts, lines


def test_numbers_and_text_get_names_that_say_what_they_are(tmp_path):
    texts, lines = plan(tmp_path, [7, 12, 31])
    models = {path.split("/")[1]: yaml.safe_load(text) for path, text in texts.items() if path.startswith("models/")}
    assert list(models) == ["pooled", "store_id_12", "store_id_31", "store_id_7"]
    assert models["store_id_7"] == {"table": {"where": {"store_id": 7}}}
    assert models["pooled"] == {}
    assert "99 (" in lines[1]


def test_text_values_are_names_themselves(tmp_path):
    texts, lines = plan(tmp_path, ["Ulm", "São Paulo"], "city")
    assert [path for path in texts if path.startswith("models/")] == [
        "models/pooled/parameters.yml",
        "models/Sao_Paulo/parameters.yml",
        "models/Ulm/parameters.yml",
    ]
    assert yaml.safe_load(texts["models/Sao_Paulo/parameters.yml"])["table"]["where"] == {"city": "São Paulo"}
    assert lines[0] == "2 models by city: Sao_Paulo, Ulm; and pooled, of all rows"


def test_the_gate_asks_for_no_more_rows_than_the_smallest_model_has(tmp_path):
    texts, _ = plan(tmp_path, ["a", "b", "c"], "city")
    gate = yaml.safe_load(texts["base/parameters_packaging.yml"])["gate"]
    assert gate["champion"]["min_rows"] < 50
    assert gate["max_calibration_error"] is None


def test_without_a_value_with_rows_enough_nothing_is_planned(tmp_path):
    with pytest.raises(ContractError, match="no value has 5,000 training rows"):
        plan(tmp_path, ["a", "b"], "city", limit=5000)
