"""`kedro adopt` in a project with git and DVC."""

import shutil

import pandas as pd
import pytest
import yaml
from kedro.io import DataCatalog
from kedro_tabular.adoption import sample
from kedro_tabular.adoption.planning import find_unused_files
from kedro_tabular.config import ConfigLoader

from ...conftest import ROOT, copy_code, fail, make_table, run_kedro, succeed
from ...repositories import commit, git

SAMPLE = "data/01_raw/of_the_sample.parquet"
POINTER = """\
outs:
- md5: 4b3a6218bb3e3a7303e8a171a60fcf92
  size: 5
  hash: md5
  path: of_the_sample.parquet
  remote: sample
"""


def contents(folder):
    return {
        path.relative_to(folder): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and not {".git", "__pycache__", "tmp", "cache"} & set(path.parts)
    }


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    """A copy of the project, committed, with a sample: its data, a pipeline, tests, a remote."""
    folder = copy_code(tmp_path_factory.mktemp("here") / "project")
    for name in ("dvc.yaml", ".gitignore", ".dvcignore"):
        shutil.copy(ROOT / name, folder)
    for file, text in {
        SAMPLE: "bytes",
        SAMPLE + ".dvc": POINTER,
        "tests/sample/test_sample.py": "",
        "data/sample.md": "",
        ".copier-answers.yml": "# keep\npackage: mine\nsample: true\n",
        "dvc.lock": "schema: '2.0'\n",
        ".dvc/config": "[core]\n    remote = storage\n['remote \"sample\"']\n    url = sample\n",
        ".dvc/.gitignore": "/config.local\n/tmp\n/cache\n",
        ".dvc/sample/files/md5/00/0": "bytes",
    }.items():
        path = folder / file
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    git(folder, "init", "--quiet")
    commit(folder)
    return folder


@pytest.fixture
def table(tmp_path):
    path = tmp_path / "small orders.csv"
    make_table(400).to_csv(path, index=False)
    return path


@pytest.fixture
def restored(project):
    yield project
    git(project, "reset", "--quiet", "--hard")
    git(project, "clean", "--quiet", "-d", "--force")
    (project / SAMPLE).write_text("bytes")  # which git does not keep


def test_a_table_takes_the_place_of_the_sample(restored, table):
    before = contents(restored)
    diff = succeed(
        restored, "adopt", str(table), "--target", "answer", "--estimator", "boosting", "--time", "when", "--dry-run"
    )
    assert contents(restored) == before
    assert "delete tests/sample/" in diff
    assert "+  target: answer" in diff

    output = succeed(restored, "adopt", str(table), "--target", "answer", "--estimator", "boosting", "--time", "when")

    assert "small_orders: classification of answer" in output
    for gone in (SAMPLE, SAMPLE + ".dvc", "tests/sample", "data/sample.md", ".dvc/sample", "dvc.lock"):
        assert not (restored / gone).exists()
    assert "sample" not in (restored / ".dvc/config").read_text()
    assert "sample: false" in (restored / ".copier-answers.yml").read_text()
    base = restored / "conf" / "base"
    contract = yaml.safe_load((base / "parameters.yml").read_text())["table"]
    assert contract["columns"]["size"] == {"type": "number", "min": 0, "max": 200}
    assert contract["columns"]["town"] == {"type": "category", "nullable": True}
    pointer = yaml.safe_load((restored / "data/01_raw/small orders.csv.dvc").read_text())
    assert pointer["outs"][0]["size"] == table.stat().st_size
    assert "data/01_raw/small orders.csv" in (restored / "dvc.yaml").read_text()
    checked = run_kedro(restored, "dvc", "check")
    assert checked.returncode == 0, checked.stderr
    assert "nothing to change" in succeed(
        restored, "adopt", str(table), "--target", "answer", "--estimator", "boosting", "--time", "when"
    )


def test_an_ingestion_of_ones_own_stays_where_the_sample_has_gone(tmp_path):
    own = tmp_path / "src/mine/pipelines/ingestion/nodes.py"
    own.parent.mkdir(parents=True)
    own.touch()
    assert list(sample.find(tmp_path)) == []
    (tmp_path / ".dvc/sample").mkdir(parents=True)
    assert own.parent in sample.find(tmp_path)


def test_a_file_among_the_raw_data_stays_where_it_is(restored, table):
    place = restored / "data/01_raw/mine.csv"
    shutil.copy(table, place)
    succeed(restored, "adopt", str(place), "--target", "answer", "--estimator", "boosting")
    entry = yaml.safe_load((restored / "conf/base/catalog.yml").read_text())["table"]
    assert entry["filepath"] == "data/01_raw/mine.csv"
    assert place.with_name("mine.csv.dvc").exists()
    assert place.read_bytes() == table.read_bytes()


def test_unused_files_are_named(project, table):
    shutil.copy(table, project / "mine.csv")
    (project / "data/01_raw/old.csv.dvc").write_text("outs: []\n")
    unused = find_unused_files(project, project / "mine.csv")
    (project / "data/01_raw/old.csv.dvc").unlink()
    (project / "mine.csv").unlink()
    assert len(unused) == 2
    assert "mine.csv is copied to data/01_raw" in unused[0]
    assert "dvc remove data/01_raw/old.csv.dvc" in unused[1]


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        (["--target", "anser"], "no column 'anser' (--target); did you mean 'answer'"),
        (["--target", "answer", "--estimator", "boosting", "--time", "colour"], "(--time) can't order the rows"),
        (
            ["--target", "answer", "--estimator", "boosting", "--drop", "size", "--drop", "nope"],
            "no column 'nope' (--drop)",
        ),
        (["--target", "town"], "fewer than 10 rows"),
    ],
)
def test_wrong_options_are_reported_and_change_nothing(project, table, options, expected):
    before = contents(project)
    assert expected in fail(project, "adopt", str(table), *options)
    assert contents(project) == before


def test_wrong_values_are_reported_and_change_nothing(project, tmp_path):
    before = contents(project)
    table = make_table(400)
    table.loc[3, "weight"] = float("inf")
    table.to_parquet(tmp_path / "a.parquet")
    assert "infinite" in fail(
        project, "adopt", str(tmp_path / "a.parquet"), "--target", "answer", "--estimator", "boosting"
    )
    make_table(400).assign(answer=None).to_parquet(tmp_path / "a.parquet")
    assert "the target 'answer' is missing in all rows" in fail(
        project, "adopt", str(tmp_path / "a.parquet"), "--target", "answer", "--estimator", "boosting"
    )
    assert contents(project) == before


def test_uncommitted_changes_are_refused(restored, table):
    readme = restored / "README.md"
    readme.write_text("mine")
    output = fail(restored, "adopt", str(table), "--target", "answer", "--estimator", "boosting")
    assert "commit your changes first" in output
    assert "README.md" in output
    assert (restored / SAMPLE).exists()
    readme.unlink()


@pytest.mark.parametrize(("without", "expected"), [(".git", "in no git repository"), (".dvc", "dvc init")])
def test_a_folder_without_git_or_dvc_is_refused(project, table, tmp_path, without, expected):
    folder = tmp_path / "copy"
    shutil.copytree(project, folder, ignore=shutil.ignore_patterns(without))
    assert expected in fail(folder, "adopt", str(table), "--target", "answer", "--estimator", "boosting")
    assert (folder / SAMPLE).exists()


def test_the_catalog_reads_the_file_as_adopt_did(restored, tmp_path, monkeypatch):
    """The inferred formats, names and missing-value markers are in the catalog's entry."""
    table = make_table(400)
    odd = pd.DataFrame(
        {
            "colour (RAL)": table["colour"],
            "source": table["town"].fillna("n/a"),
            "größe": table["size"].map(lambda size: f"{size:,.2f} €"),
            "when": table["when"].dt.strftime("%d.%m.%Y %H:%M"),
            "answer": table["answer"].map({0: "no", 1: "yes"}),
        }
    )
    odd.to_csv(tmp_path / "odd.csv", index=False, sep=";", encoding="cp1252")
    succeed(
        restored, "adopt", str(tmp_path / "odd.csv"), "--target", "answer", "--estimator", "boosting", "--time", "when"
    )
    monkeypatch.chdir(restored)
    loader = ConfigLoader("conf", base_env="base", default_run_env="base")
    loaded = DataCatalog.from_config({"table": loader["catalog"]["table"]}).load("table")
    assert loaded.columns.tolist() == ["colour (RAL)", "source_", "größe", "when", "answer"]
    assert (loaded["größe"] - table["size"]).abs().max() < 0.01
    assert (loaded["when"] == table["when"].dt.floor("min")).all()
    assert (loaded["source_"].isna() == table["town"].isna()).all()
