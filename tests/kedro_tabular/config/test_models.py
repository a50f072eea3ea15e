"""The models of conf/models: their names, what their files change, and where their data are."""

import pytest
import yaml
from kedro_tabular.config import ConfigLoader, check_name, model_names, to_name
from kedro_tabular.contract import ContractError, select_segments
from kedro_tabular.parameters import ParameterError

from ...conftest import make_table

TREES, LINEAR = "sklearn.ensemble.HistGradientBoostingClassifier", "sklearn.linear_model.LogisticRegression"
BASE = {
    "parameters.yml": {
        "table": {
            "name": "orders",
            "target": "answer",
            "columns": {"town": {"type": "category"}, "size": {"type": "number", "min": 0, "max": 9}},
        },
        "estimator": {"class": TREES, "kwargs": {"max_iter": 20}},
        "gate": {"promote": "auto", "trivial": {"margin": 0.05}},
        "label": "${table.name} ${table.target}",
    },
    "catalog.yml": {
        "table": {"type": "pandas.CSVDataset", "filepath": "data/01_raw/orders.csv", "metadata": {"lineage": True}},
        "model": {"type": "pandas.ParquetDataset", "filepath": "data/06_models/model.skops"},
        "metrics": {"type": "kedro.Wrapped", "dataset": {"filepath": "data/08_reporting/metrics.json"}},
        "sizes": {"type": "kedro.Sizes", "files": ["data/06_models/model.skops"]},
        "champion": {"type": "kedro.Champion", "name": "${params:table.name}"},
    },
}


@pytest.fixture
def conf(tmp_path):
    """Writes files below conf/."""

    def write(folder, **files):
        for name, content in files.items():
            path = tmp_path / folder / f"{name}.yml"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(yaml.safe_dump(content))

    write("base", **{name.removesuffix(".yml"): content for name, content in BASE.items()})
    (tmp_path / "local").mkdir()
    write.folder = tmp_path
    return write


def load(conf, model, **arguments):
    strategy = {"parameters": "soft", "mlflow": "soft"}
    options = {"base_env": "base", "default_run_env": "local", "merge_strategy": strategy} | arguments
    return ConfigLoader(str(conf.folder), model=model, **options)


def test_without_models_the_project_has_that_of_conf_base(conf):
    loader = load(conf, "")
    assert loader["parameters"] == BASE["parameters.yml"] | {"label": "orders answer"}
    assert loader["catalog"]["model"] == BASE["catalog.yml"]["model"]
    assert model_names(conf.folder) == []


def test_a_model_states_what_differs(conf):
    conf("models/shop", parameters={"table": {"columns": {"size": {"max": 5}}}, "gate": {"promote": "manual"}})
    parameters = load(conf, "shop")["parameters"]
    assert parameters["table"]["name"] == "shop"
    assert parameters["label"] == "shop answer"
    assert parameters["table"]["columns"]["size"] == {"type": "number", "min": 0, "max": 5}
    assert parameters["gate"] == {"promote": "manual", "trivial": {"margin": 0.05}}
    assert load(conf, "shop")["catalog"]["champion"]["name"] == "shop"


def test_another_estimator_does_not_get_the_arguments_of_that_of_conf_base(conf):
    conf("models/linear", parameters={"estimator": {"class": LINEAR}})
    conf("models/longer", parameters={"estimator": {"class": TREES, "kwargs": {"max_depth": 3}}})
    assert load(conf, "linear")["parameters"]["estimator"] == {"class": LINEAR}
    assert load(conf, "longer")["parameters"]["estimator"]["kwargs"] == {"max_iter": 20, "max_depth": 3}


def test_a_column_that_is_null_is_left_out(conf):
    conf("models/shop", parameters={"table": {"columns": {"town": None}}})
    assert list(load(conf, "shop")["parameters"]["table"]["columns"]) == ["size"]


def test_an_environment_comes_after_the_model_and_parameters_of_a_run_after_both(conf):
    conf("models/shop", parameters={"gate": {"promote": "never"}, "label": "shop"})
    conf("production", parameters={"gate": {"promote": "manual"}})
    loader = load(conf, "shop", env="production")
    assert (loader["parameters"]["gate"]["promote"], loader["parameters"]["label"]) == ("manual", "shop")
    loader = load(conf, "shop", env="production", runtime_params={"label": "run"})
    assert (loader["parameters"]["gate"]["promote"], loader["parameters"]["label"]) == ("manual", "run")


def test_files_of_a_model_are_in_folders_of_its_own_and_raw_data_are_shared(conf):
    conf("models/shop", parameters={})
    catalog = load(conf, "shop")["catalog"]
    assert catalog["model"]["filepath"] == "data/06_models/shop/model.skops"
    assert catalog["metrics"]["dataset"]["filepath"] == "data/08_reporting/shop/metrics.json"
    assert catalog["sizes"]["files"] == ["data/06_models/shop/model.skops"]
    assert catalog["table"] == BASE["catalog.yml"]["table"]


def test_a_segment_is_read_from_its_file(conf):
    conf("models/shop", parameters={"table": {"where": {"town": "Ulm"}}})
    table = {"type": "pandas.ParquetDataset", "filepath": "data/02_intermediate/segments/shop.parquet"}
    catalog = load(conf, "shop")["catalog"]
    assert catalog["table"] == table | {"metadata": {"lineage": True}}
    assert catalog["shared_table"] == BASE["catalog.yml"]["table"]
    assert load(conf, "")["parameters"]["segments"] == {"shop": {"town": "Ulm"}}


def test_a_model_with_a_table_of_its_own_has_a_contract_of_its_own(conf):
    own = {"type": "pandas.CSVDataset", "filepath": "data/03_primary/rents.csv"}
    contract = {"target": "rent", "columns": {"rooms": {"type": "number"}}}
    conf("models/rents", catalog={"table": own}, parameters={"table": contract})
    assert load(conf, "rents")["catalog"]["table"] == own
    assert load(conf, "rents")["parameters"]["table"] == contract | {"name": "rents"}


@pytest.mark.parametrize(
    "choose", [{"model": "shop"}, {"model": None, "runtime_params": {"model": "shop"}}, {"model": None}]
)
def test_a_model_is_chosen_by_a_parameter_or_the_environment(conf, monkeypatch, choose):
    conf("models/shop", parameters={})
    monkeypatch.setenv("KEDRO_MODEL", "shop" if "runtime_params" not in choose else "other")
    loader = load(conf, **choose)
    assert loader.model == "shop"
    assert "model" not in loader["parameters"]


def test_an_unknown_model_is_told_with_those_there_are(conf):
    conf("models/shop", parameters={})
    with pytest.raises(ParameterError, match=r"there is no model 'shot'.*: shop$"):
        load(conf, "shot")
    with pytest.raises(ParameterError, match="there is no model"):
        load(conf, "../base")


@pytest.mark.parametrize(
    "name", ["a/b", "a b", "münchen", "", "-x", ".x", "a" * 61, "base", "Local", "plots", "models"]
)
def test_a_name_that_is_no_folder_or_no_name_in_the_registry_is_refused(name):
    with pytest.raises(ParameterError, match="a model can't be called"):
        check_name(name)


def test_names_that_differ_in_case_only_are_refused(conf):
    for name in ("Shop", "shop"):
        conf(f"models/{name}", parameters={})
    with pytest.raises(ParameterError, match="'Shop' and 'shop' in conf/models differ in case only"):
        model_names(conf.folder)


@pytest.mark.parametrize(
    ("value", "name"),
    [
        ("12", "12"),
        ("São Paulo", "Sao_Paulo"),
        ("a/b c", "a_b_c"),
        ("北京", "value"),
        ("plots", "plots_2"),
        ("x", "x_3"),
        ("", "value"),
    ],
)
def test_any_value_gets_a_name_that_is_allowed(value, name):
    assert to_name(value, ["X", "x_2"]) == name
    check_name(name)


def test_segments_are_the_rows_with_a_value_or_one_of_several():
    table = make_table(300)
    where = {"warm": {"colour": ["red", "green"]}, "one": {"colour": "blue", "town": "town 3"}}
    found = select_segments(table, where)
    assert set(found["warm"]["colour"]) == {"red", "green"}
    assert len(found["warm"]) == table["colour"].isin(["red", "green"]).sum()
    assert set(found["one"]["colour"]) == {"blue"} and set(found["one"]["town"]) == {"town 3"}


def test_a_segment_without_rows_or_of_an_unknown_column_is_told():
    with pytest.raises(ContractError, match=r"no rows of: shop \(colour = black\)"):
        select_segments(make_table(30), {"shop": {"colour": "black"}})
    with pytest.raises(ParameterError, match=r"table\.where of shop: the table has no column shade"):
        select_segments(make_table(30), {"shop": {"shade": "black"}})
