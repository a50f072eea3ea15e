"""The keys of conf/ that a pipeline reads, and that DVC therefore tracks."""

import pytest
import yaml
from kedro.pipeline import Pipeline, node
from kedro_tabular.lineage.catalog import Catalog
from kedro_tabular.lineage.conf_keys import class_names, read_keys
from kedro_tabular.parameters import ParameterError


def make_conf(folder, **files):
    """Files of conf/ by `environment__name`."""
    for name, content in files.items():
        environment, _, file = name.partition("__")
        path = folder / "conf" / environment / f"{file}.yml"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(yaml.safe_dump(content))


def keys_of(folder, *inputs, outputs="out", environments=("base",)):
    entries = {}
    for path in folder.glob("conf/*/catalog*.yml"):
        entries |= yaml.safe_load(path.read_text())
    catalog = Catalog({name: entry for name, entry in entries.items() if not name.startswith("_")})
    pipeline = Pipeline([node(lambda *values: values, list(inputs), outputs, name="made")])
    return read_keys(pipeline, catalog, folder, environments)


def test_parameters_and_the_catalog_entries_of_files_are_read(tmp_path):
    table = {"type": "pandas.CSVDataset", "filepath": "table.csv"}
    made = {"type": "pandas.CSVDataset", "filepath": "out.csv"}
    report = {"type": "text.TextDataset", "filepath": "report.html", "metadata": {"dvc": "ignored"}}
    entries = {"table": table, "out": made, "report": report, "unused": table}
    make_conf(tmp_path, base__catalog=entries, base__parameters={"a": {"b": 1, "c": 2}, "d": 3, "e": 4})
    assert keys_of(tmp_path, "table", "params:a.b", "params:d", outputs=["out", "report"]) == {
        "conf/base/catalog.yml": ["out", "table"],
        "conf/base/parameters.yml": ["a.b", "d"],
    }


def test_what_a_value_refers_to_is_read_too(tmp_path):
    parameters = {"limit": "${_half}", "_half": "${globals:limits.half}", "nested": {"a": "${.b}", "b": 1}, "other": 1}
    entry = {"type": "pandas.CSVDataset", "filepath": "${_folder}/t.csv", "load_args": {"sep": "${params:separator}"}}
    make_conf(
        tmp_path,
        base__parameters=parameters | {"separator": ";"},
        base__globals={"limits": {"half": 5, "whole": 10}},
        base__catalog={"table": entry, "_folder": "data"},
    )
    assert keys_of(tmp_path, "table", "params:limit", "params:nested.a") == {
        "conf/base/catalog.yml": ["_folder", "table"],
        "conf/base/globals.yml": ["limits.half"],
        "conf/base/parameters.yml": ["_half", "limit", "nested", "nested.a", "separator"],
    }


def test_of_an_environment_the_keys_that_it_has_are_read(tmp_path):
    make_conf(
        tmp_path,
        base__parameters={"estimator": {"kwargs": {"max_iter": 60}}, "seed": 1, "features": {"a": 1, "b": 2}},
        production__parameters={"estimator": {"kwargs": {"max_iter": 7}}, "features": {"b": 3}, "unused": 1},
    )
    inputs = ("params:estimator", "params:seed", "params:features.a")
    base = {"conf/base/parameters.yml": ["estimator", "features.a", "seed"]}
    assert keys_of(tmp_path, *inputs) == base
    both = keys_of(tmp_path, *inputs, environments=("base", "production"))
    assert both == base | {"conf/production/parameters.yml": ["estimator"]}
    assert list(both) == ["conf/base/parameters.yml", "conf/production/parameters.yml"]


def test_where_dvc_can_not_name_a_key_it_tracks_the_file(tmp_path):
    entry = {"type": "pandas.CSVDataset", "filepath": "{part}.csv"}
    make_conf(tmp_path, base__catalog={"part.{part}": entry}, base__parameters={"a": 1})
    assert keys_of(tmp_path, "part.train") == {"conf/base/catalog.yml": None}
    assert keys_of(tmp_path, "parameters") == {"conf/base/parameters.yml": None}


def test_a_parameter_that_no_file_has_is_named(tmp_path):
    make_conf(tmp_path, base__parameters={"a": 1})
    with pytest.raises(ParameterError, match=r"the key a\.b that a node takes"):
        keys_of(tmp_path, "params:a.b")


def test_classes_are_found_at_any_depth():
    values = {"estimator": {"class": "a.A", "kwargs": {"steps": [{"class": "b.B"}, 5]}}, "class": 5}
    assert set(class_names(values)) == {"a.A", "b.B"}
