"""The inferred contract, settings for a table, and YAML files that keep their comments."""

import numpy as np
import pandas as pd
import pytest
import yaml
from kedro_tabular.adoption.inference import infer_contract
from kedro_tabular.adoption.options import Options
from kedro_tabular.adoption.settings import choose_metric, choose_settings, describe_left_out_rules
from kedro_tabular.adoption.source import Source
from kedro_tabular.adoption.split import choose_split
from kedro_tabular.adoption.yaml_edit import set_values
from kedro_tabular.contract.contract import ContractError
from kedro_tabular.contract.table_file import ReadOptions

from project.pipelines.data_prep.nodes import split_table

from ...conftest import ROOT, make_table

SECTIONS = {
    "features": {"datetime_parts": ["hour"]},
    "estimator": {"class": "sklearn.linear_model.Ridge", "kwargs": {}},
}
TEXT = """\
# above
gate:
  promote: auto  # who promotes
  metrics:  # min, max or both
    roc_auc: {min: 0.6}
    share: {max: 0.2}  # of rows

  # the next rule
  slices:
    columns: [a, b]
  last: 1
seed: 1  # at the end
"""


def infer(table, tmp_path, **options):
    return infer_contract(Source(tmp_path / "orders 2024.csv", table, ReadOptions(), []), Options("answer", **options))


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (("gate", "promote"), "manual"),
        (("gate", "metrics"), {"r2": {"min": 0.5}, "größe (kg)": {"max": 1}}),
        (("gate", "slices"), None),
        (("gate", "slices", "columns"), ["yes", "is active?", "a: b", "1"]),
        (("gate", "last"), "2024-01-31"),
        (("gate", "new"), {"a": 1}),
        (("seed",), 0.25),
    ],
)
def test_one_value_changes_and_the_rest_stays(path, value):
    changed = set_values(TEXT, {path: value})
    expected = yaml.safe_load(TEXT)
    inner = expected
    for key in path[:-1]:
        inner = inner[key]
    inner[path[-1]] = value
    assert yaml.safe_load(changed) == expected
    outside = [line for line in TEXT.splitlines() if line.lstrip().startswith("#")]
    assert [line for line in outside if line not in changed.splitlines()] == []
    assert set_values(changed, {path: value}) == changed


def test_present_values_keep_their_notation():
    assert set_values(TEXT, {("gate", "metrics", "roc_auc"): {"min": 0.6}, ("seed",): 1}) == TEXT
    with pytest.raises(KeyError):
        set_values(TEXT, {("gate", "nowhere", "key"): 1})


def test_null_is_replaced_by_a_block():
    text = set_values("# above\ntable: null  # none yet\nlast: 1\n", {("table", "a"): 1, ("table", "b"): {"c": []}})
    assert text == "# above\ntable:\n  a: 1\n  b:\n    c: []\nlast: 1\n"


def test_mappings_in_one_line_keep_their_other_keys_and_comments():
    text = "a: {x: 1, y: {z: 2}} # one\nb: 'c # d' # two\ne: &f {g: 1}\nh:\n  i: *f\n"
    text = set_values(text, {("a", "y", "z"): 3, ("b",): "new", ("h", "j"): 4})
    assert text == "a: # one\n  x: 1\n  y: {z: 3}\nb: new # two\ne: &f {g: 1}\nh:\n  i: *f\n  j: 4\n"


def test_every_setting_has_its_place_in_conf(tmp_path):
    for time in ("when", None):
        inferred = infer(make_table(600), tmp_path, time=time)
        for file, values in choose_settings(inferred, choose_split(inferred), SECTIONS, "x.csv").items():
            text = (ROOT / "conf" / "base" / file).read_text()
            changed = yaml.safe_load(set_values(text, values))
            for path, value in values.items():
                read = changed
                for key in path:
                    read = read[key]
                assert read == value
            before = yaml.safe_load(text)
            assert changed.keys() == before.keys()
            lost = [
                (key, inner)
                for key, section in before.items()
                if isinstance(section, dict) and key != "table"
                for inner in section
                if inner not in changed[key]
            ]
            assert lost == []


def test_metrics_follow_the_task_and_the_balance(tmp_path):
    table = make_table(600)
    assert choose_metric(infer(table, tmp_path)) == "roc_auc"
    table["answer"] = (np.arange(600) % 20 == 0).astype(int)
    assert choose_metric(infer(table, tmp_path)) == "average_precision"
    table["answer"] = 1 - table["answer"]  # the rare class is not the positive one
    assert choose_metric(infer(table, tmp_path)) == "roc_auc"
    assert choose_metric(infer(make_table(600, "number"), tmp_path)) == "r2"


@pytest.mark.parametrize("time", ["when", None])
def test_the_split_has_the_printed_sizes(tmp_path, time):
    inferred = infer(make_table(600), tmp_path, time=time)
    split = choose_split(inferred)
    parts = split_table(inferred.table, inferred.contract.model_dump(), split.parameters, split.seed)
    assert parts.rows == split.rows
    assert sum(split.rows.values()) == 600
    assert min(split.rows.values()) >= 40


def test_the_seed_leaves_no_part_without_a_class(tmp_path):
    """Rows keep their part for ever, so that none can be stratified."""
    table = make_table(150)
    table["answer"] = np.isin(np.arange(150), [3, 11, 30, 41, 58, 77, 90, 101, 120, 149]).astype(int)
    for first in range(20):
        split = choose_split(infer(table, tmp_path), first)
        assert split.seed >= first
        assert all(part["answer"].nunique() == 2 for part in split.parts[:3])
    assert choose_split(infer(make_table(600), tmp_path), 5).seed == 5


def test_groups_too_few_to_split_are_refused(tmp_path):
    table = make_table(300).assign(patient_id=np.arange(300) % 2)
    with pytest.raises(ContractError, match="with the rows of each patient_id in one part"):
        choose_split(infer(table, tmp_path, ids=("patient_id",)))


def test_identifiers_that_repeat_are_not_learnt_from_and_are_told(tmp_path):
    """Two eyes of one patient."""
    for patients in (np.arange(600) // 2 + 1000, [f"P{n:04d}" for n in np.arange(600) // 2]):
        for name in ("patient_id", "patient"):
            table = make_table(600).assign(**{name: patients})
            inferred = infer(table, tmp_path)
            assert name in inferred.left_out
            assert any(f"--id {name!r}" in warning for warning in inferred.warnings)
            given = infer(table, tmp_path, ids=(name,))
            split = choose_split(given)
            assert split.parameters["group"] == [name]
            assert not any("--id" in warning for warning in given.warnings)
            parts = pd.concat([part.assign(part=n) for n, part in split.parts._asdict().items()])
            assert (parts.groupby(name)["part"].nunique() == 1).all()


def test_numbers_and_categories_that_repeat_by_chance_are_learnt_from(tmp_path):
    rng = np.random.default_rng(0)
    table = make_table(600).assign(age=rng.integers(18, 90, 600), minute=rng.integers(0, 300, 600))
    table["store_id"] = rng.choice([f"store {n}" for n in range(25)], 600)
    columns = infer(table, tmp_path).contract.columns
    assert {"age", "minute", "store_id"} <= columns.keys()


def test_dates_without_a_time_are_told(tmp_path):
    warnings = infer(make_table(600), tmp_path).warnings
    assert any("--time 'when'" in warning for warning in warnings)
    assert infer(make_table(600), tmp_path, time="when").warnings == []


def test_rules_of_the_gate_that_are_left_out_are_told(tmp_path):
    def notes(n_rows, answer="binary", time=None):
        inferred = infer(make_table(n_rows, answer), tmp_path, time=time)
        return " ".join(describe_left_out_rules(inferred, choose_split(inferred)))

    assert "calibration error" in notes(600)
    assert "no slices" in notes(600)
    assert notes(12_000) == ""
    assert "calibration error" not in notes(600, "number")
    assert "as independent" in notes(200, time="when")


def test_days_of_very_different_length_still_make_four_parts(tmp_path):
    table = make_table(400).sort_values("answer").assign(when=pd.Timestamp("2024-01-01"))
    table["answer"] = np.arange(400) % 2
    table.loc[table.index[-30:], "when"] = pd.to_datetime(["2024-01-02", "2024-01-03", "2024-01-04"] * 10)
    split = choose_split(infer(table, tmp_path, time="when"))
    assert list(split.rows.values()) == [370, 10, 10, 10]


def test_a_split_by_time_that_can_not_be_is_refused(tmp_path):
    table = make_table(400)
    with pytest.raises(ContractError, match="all rows have the same value"):
        choose_split(infer(table.assign(when=pd.Timestamp("2024-01-01")), tmp_path, time="when"))
    morning = pd.Timestamp("2024-01-01") + pd.to_timedelta(np.arange(400), unit="min")
    with pytest.raises(ContractError, match="has 1 distinct days"):
        choose_split(infer(table.assign(when=morning), tmp_path, time="when"))
    table["answer"] = (np.arange(400) < 200).astype(int)
    with pytest.raises(ContractError, match="no rows of class 1"):
        choose_split(infer(table, tmp_path, time="when"))


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({"time": "whem"}, r"no column 'whem' \(--time\); did you mean 'when'"),
        ({"time": "colour"}, "holds no dates or times"),
        ({"time": "when", "drop": ("when",)}, "can't be left out"),
        ({"time": "answer"}, "both the target and the time"),
        ({"drop": ("colour", "town", "size", "weight", "when")}, "no column is left"),
    ],
)
def test_wrong_options_are_refused(tmp_path, options, expected):
    with pytest.raises(ContractError, match=expected):
        infer(make_table(300), tmp_path, **options)


def test_times_may_be_years_or_seconds_but_not_missing(tmp_path):
    table = make_table(300)
    years = infer(table.assign(when=2000 + np.arange(300) % 9), tmp_path, time="when")
    assert years.read_options.datetimes == {"when": "%Y"}
    assert years.table["when"].dt.year.between(2000, 2008).all()
    seconds = table["when"].astype("datetime64[s]").astype("int64")
    assert (infer(table.assign(when=seconds), tmp_path, time="when").table["when"] == table["when"]).all()
    table.loc[:4, "when"] = pd.NaT
    with pytest.raises(ContractError, match=r"'when' \(--time\) is missing in 5 of 300 rows"):
        infer(table, tmp_path, time="when")
    assert infer(table, tmp_path).contract.columns["when"].nullable


def test_duplicate_rows_are_warned_of_if_the_split_is_random(tmp_path):
    table = make_table(300)
    twice = pd.concat([table, table.head(40)], ignore_index=True)
    assert any("40 duplicate rows" in warning for warning in infer(twice, tmp_path).warnings)
    assert infer(twice, tmp_path, time="when").warnings == []
    assert not any("duplicate" in warning for warning in infer(table, tmp_path).warnings)


def test_many_rows_out_of_range_are_flagged_instead_of_left_to_the_fallback(tmp_path):
    rng = np.random.default_rng(0)
    many = make_table(300).assign(**{f"gene {n}": rng.normal(size=300) for n in range(80)})
    for table, expected in ((make_table(300), "fallback"), (many, "flag")):
        inferred = infer(table, tmp_path)
        settings = choose_settings(inferred, choose_split(inferred), SECTIONS, "x")["parameters_training.yml"]
        assert settings["guard", "actions", "outside_training"] == expected
        noted = [note for note in inferred.notes if "outside the range of the other rows" in note]
        assert bool(noted) == (expected == "flag")


def test_too_few_rows_are_refused(tmp_path):
    with pytest.raises(ContractError, match="60 rows with a target are too few"):
        infer(make_table(60), tmp_path)
