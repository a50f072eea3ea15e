"""Copies of the template: named throughout, clean, passing their own checks, the same by either way."""

import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import copier
import pytest
import yaml

from ..conftest import ROOT, run_kedro
from .conftest import ANSWERS, SCRIPT, commit, copy, copy_alone, git, run_copier, texts
from .test_howto import make_orders

OF_THE_SAMPLE = re.compile(
    r"flight|carrier|weather|airport|tailnum|minutes late|departure|\]\([a-z/]*sample\.md", re.IGNORECASE
)
LONGEST = "a_name_of_thirty_letters_in_al"


def run_tool(folder, tool, *arguments):
    command = [Path(sys.executable).with_name(tool), *arguments]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_a_copy_is_named_throughout_and_has_nothing_of_the_template(copied):
    found = texts(copied)
    named = re.compile(r"""(?<!framework\.)(?<!\[)\bproject\.\w|["']project["']|/project\b|-m project|from project """)
    assert not [path for path in found if "project" in Path(path).parts]
    own = {path: text for path, text in found.items() if not path.startswith("src/kedro_tabular/")}
    assert not [path for path, text in own.items() if named.search(text) and not path.startswith("src/")]
    assert not [path for path, text in own.items() if "from project" in text]
    # the library is what it is in the template, and its tests stay there
    library = [path for path in found if path.startswith("src/kedro_tabular/")]
    assert {path: found[path] for path in library} == {
        path: (ROOT / path).read_text(encoding="utf-8") for path in library
    }
    assert not (copied / "tests" / "kedro_tabular").exists()
    own = re.compile(r"make_copy|copier\.yml|benchmark|template/|make bench|make new")
    adopt_in_clone = "src/kedro_tabular/adoption/template.py"
    assert not [path for path, text in found.items() if own.search(text) and path != adopt_in_clone]
    assert not [path for pattern in SCRIPT["MACHINERY"][1:] for path in copied.glob(pattern)]

    readme, settings = found["README.md"], tomllib.loads(found["pyproject.toml"])
    assert readme.startswith(f"# {ANSWERS['project_name']}\n\n{ANSWERS['description']}\n")
    assert "`src/churn`" in readme
    assert "+++ b/src/churn/features.py" in found["docs/howto.md"]
    assert settings["project"]["name"] == settings["tool"]["kedro"]["package_name"] == "churn"
    assert settings["project"]["description"] == ANSWERS["description"]
    assert settings["tool"]["kedro"]["project_name"] == ANSWERS["project_name"]
    assert yaml.safe_load(found["conf/logging.yml"])["loggers"]["churn"]
    assert git(copied, "log", "--format=%s").splitlines() == ['Start The "Churn" model from the template']
    assert git(copied, "status", "--porcelain") == ""


def test_its_dvc_yaml_is_in_step_and_its_types_are_right(copied):
    checked = run_kedro(copied, "dvc", "check")
    assert checked.returncode == 0, checked.stdout + checked.stderr
    run_tool(copied, "mypy", f"--cache-dir={ROOT / '.mypy_cache'}")  # which knows the libraries already


@pytest.mark.parametrize("options", [[], ["--without-sample"]], ids=["sample", "bare"])
@pytest.mark.parametrize("package", ["ab", LONGEST])
def test_a_name_of_any_length_passes_the_checks(template, tmp_path, package, options):
    # Where it fails with the longest, split the line in the template by a comma that the formatter keeps.
    folder = copy_alone(template, tmp_path / "copy", package, *options)
    run_tool(folder, "ruff", "check", "--no-cache", ".")
    run_tool(folder, "ruff", "format", "--check", "--no-cache", ".")


def test_the_script_alone_gives_the_same(template, copied, bare, tmp_path):
    alone = copy_alone(template, tmp_path / "alone")
    assert texts(alone) == texts(copied)
    assert git(alone, "log", "--format=%s").splitlines() == ["One"]  # the history is not its own to drop
    alone = copy_alone(template, tmp_path / "bare", "churn", "--without-sample", "--fresh-git")
    assert texts(alone) == texts(bare)
    assert git(alone, "log", "--format=%s").splitlines() == ['Start The "Churn" model from the template']
    assert git(alone, "tag") == ""


def test_without_deploy_there_are_no_servers_no_image_and_no_ci(template, tmp_path):
    copied, alone = tmp_path / "copied", copy_alone(template, tmp_path / "alone", "churn", "--without-deploy")
    copy(template, copied, deploy="false")
    assert texts(copied) == texts(alone)
    assert not [path for path in texts(copied) if path in SCRIPT["DEPLOY"] or path.startswith((".github", "deploy/"))]
    assert list(broken_links(copied, pages_of(copied))) == []
    done = subprocess.run(["make", "image"], cwd=copied, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert "without deploy/" in done.stdout


def test_without_the_sample_nothing_speaks_of_it_and_commands_say_what_to_do(bare):
    assert not [path for path, text in texts(bare).items() if OF_THE_SAMPLE.search(text)]
    assert not (bare / "dvc.yaml").exists()
    assert not (bare / "src/churn/pipelines/ingestion").exists()
    assert "sample" not in (bare / ".dvc/config").read_text()
    told = run_kedro(bare, "run", "--pipeline=train")
    assert told.returncode == 1
    assert told.stderr.startswith("Error: there is no table yet")
    assert len(told.stderr.splitlines()) == 1


def broken_links(folder, pages):
    """Links of pages to files and headings that there are not."""
    for page in pages:
        text = re.sub(r"(?ms)^```.*?^```", "", (folder / page).read_text())
        for target in re.findall(r"\]\(([^)\s]+)\)", text):
            path, _, anchor = target.partition("#")
            file = folder / page if not path else (folder / page).parent / path
            if "://" in target or (file.exists() and (not anchor or anchor in anchors(file))):
                continue
            yield page, target


def anchors(file):
    """Those that GitHub makes of a page's headings."""
    titles = re.findall(r"(?m)^#+ (.+)$", file.read_text())
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}


def pages_of(folder):
    return [path for path in git(folder, "ls-files", "--", "*.md").splitlines() if (folder / path).exists()]


def test_no_link_is_broken_in_the_template_or_in_copies(template, copied, bare):
    for folder in (template, copied, bare):
        pages = pages_of(folder)
        assert {"README.md", "docs/howto.md", "data/README.md"} <= {*pages}
        own = [page for page in pages if not page.startswith("template/")]
        assert list(broken_links(folder, own)) == []


@pytest.fixture(scope="module")
def orders(tmp_path_factory) -> Path:
    """A table as a user has it."""
    path = tmp_path_factory.mktemp("orders") / "orders.csv"
    make_orders().to_csv(path, index=False)
    return path


@pytest.mark.parametrize("origin", ["copied", "template"])
def test_nothing_speaks_of_the_sample_after_a_table_was_adopted(origin, request, orders, tmp_path):
    folder = tmp_path / "adopted"
    git(tmp_path, "clone", "--quiet", str(request.getfixturevalue(origin)), str(folder))
    done = run_kedro(folder, "adopt", str(orders), "--target", "returned", "--estimator", "boosting", "--name", "mine")
    assert done.returncode == 0, done.stderr
    commit(folder, "Adopt")
    assert yaml.safe_load((folder / "conf/base/parameters.yml").read_text())["table"]["name"] == "mine"
    assert not [path for path, text in texts(folder).items() if OF_THE_SAMPLE.search(text)]
    assert list(broken_links(folder, pages_of(folder))) == []
    assert {path.name for path in (folder / "tests").iterdir() if path.is_dir()} == {"pipelines", "table"}
    assert "check-template" not in (folder / "Makefile").read_text()
    run_tool(folder, "ruff", "check", "--no-cache", ".")
    run_tool(folder, "ruff", "format", "--check", "--no-cache", ".")


def test_pages_of_a_copy_hold_for_any_table(copied):
    """`kedro adopt` removes data/sample.md, and changes no other page."""
    for page in pages_of(copied):
        text = (copied / page).read_text()
        assert page == "data/sample.md" or not re.search(r"flight|\bsample\b(?!\.py)", text), page


def test_what_git_ignores_is_not_copied(template, tmp_path):
    dirty = tmp_path / "dirty"
    git(tmp_path, "clone", "--quiet", str(template), str(dirty))
    for path in ("data/01_raw/flights.parquet", ".venv/python", "mlflow.db", "new.md"):
        (dirty / path).parent.mkdir(parents=True, exist_ok=True)
        (dirty / path).touch()
    folder = tmp_path / "copy"
    copy(dirty, folder, "--vcs-ref=HEAD", "--exclude=/tests")
    assert {path.name for path in folder.iterdir()} & {".venv", "mlflow.db", "new.md"} == {"new.md"}
    assert not (folder / "data/01_raw/flights.parquet").exists()


@pytest.mark.parametrize("name", ["Churn", "1st", "my-model", "class", "json", "kedro", "", f"{LONGEST}s"])
def test_a_package_can_not_have_this_name(template, tmp_path, name):
    with pytest.raises(ValueError, match="package"):
        copier.run_copy(str(template), tmp_path / "copy", {"package": name}, defaults=True, unsafe=True)
    assert not (tmp_path / "copy").exists()
    script = [sys.executable, "template/make_copy.py", name]
    told = subprocess.run(script, cwd=template, capture_output=True, text=True, check=False)
    assert told.returncode == 1
    assert "Nothing was changed" in told.stderr
    assert git(template, "status", "--porcelain") == ""


@pytest.mark.parametrize(
    ("name", "package"),
    [
        ("2024: Pandas", "pandas_model"),
        ("Ωμέγα", "my_model"),
        ("What will be left of us when all is said", "what_will_be_left_of_us"),
    ],
)
def test_the_package_is_named_after_the_project(template, tmp_path, name, package):
    answers = {"project_name": name}
    asked = copier.run_copy(
        str(template), tmp_path, answers, defaults=True, unsafe=True, quiet=True, pretend=True, exclude=["*"]
    )
    assert asked.answers.combined["package"] == package


def test_a_folder_that_is_not_empty_stays_as_it_is(template, tmp_path):
    folder = tmp_path / "full"
    (folder / "src").mkdir(parents=True)
    (folder / "src/own.py").write_text("mine")
    told = run_copier("copy", template, folder)
    assert told.returncode == 1
    assert f"{folder} is not empty: name a folder that does not exist yet" in told.stderr
    assert "Traceback" not in told.stderr
    assert [path.name for path in folder.rglob("*")] == ["src", "own.py"]


@pytest.fixture
def finish(template, tmp_path):
    """Finishes what copier has rendered, as its task does; what is said."""

    def finished(folder):
        shutil.copytree(template, folder, ignore=shutil.ignore_patterns(".git"))
        script = [sys.executable, template / "template/make_copy.py", "churn", "--finish=copy"]
        return subprocess.run(script, cwd=folder, check=True, capture_output=True, text=True).stdout

    return finished


def test_a_copy_in_a_repository_is_not_committed(finish, tmp_path):
    git(tmp_path, "init", "--quiet")
    (tmp_path / "theirs.md").touch()
    commit(tmp_path, "Theirs")
    assert "lies in a git repository already" in finish(tmp_path / "copy")
    assert not (tmp_path / "copy" / ".git").exists()
    assert git(tmp_path, "log", "--format=%s").splitlines() == ["Theirs"]


def test_without_an_identity_nothing_is_committed(finish, tmp_path, monkeypatch):
    for role in ("AUTHOR", "COMMITTER"):
        monkeypatch.delenv(f"GIT_{role}_NAME")
        monkeypatch.delenv(f"GIT_{role}_EMAIL")
    assert "nothing is committed yet" in finish(tmp_path / "copy")
    assert git(tmp_path / "copy", "status", "--porcelain").startswith("A  ")
