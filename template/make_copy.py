"""Make a project of your own out of the template.

By itself it turns the clone that it stands in into a copy:

    python template/make_copy.py churn --name "Churn" --description "Who leaves, and when"

For copier it finishes what copier has rendered into the current folder (`--finish`, see copier.yml): a new
copy, and in an update each of the folders that copier compares.

Uses the standard library only: nothing is installed yet.
"""
# ruff: noqa: T201

import argparse
import hashlib
import json
import os
import re
import runpy
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

SOURCE = Path(__file__).resolve().parents[1]
# Of the template itself. copier.yml excludes the same.
MACHINERY = (
    "README.md",
    "benchmarks",
    "copier.yml",
    "docs/*.png",
    "dvc.lock",
    "template",
    "tests/kedro_tabular",
    "tests/template",
    "{{_copier_conf.answers_file}}.jinja",
)
DEPLOY = (".dockerignore", ".github", "Jenkinsfile", "deploy", "docs/deploy.md")  # copier.yml names the same
MAKEFILE_ENDS = "# --- Of the template itself: not in copies ---"
# What an update replaces as a whole. The manifest lists its files, for `make check` to name those that were edited.
LIBRARY = "src/kedro_tabular"
MANIFEST = ".kedro_tabular.md5"
# Files that name the project's package. Inside it imports are relative, and the library does not know its name.
NAMING = (
    "CHANGELOG.md",
    "Makefile",
    "dvc.yaml",
    "pyproject.toml",
    "conf/**/*.yml",
    "data/*.md",
    "docs/**/*.md",
    "notebooks/*.ipynb",
    "tests/**/*.py",
)
NO_TABLE = "table: null  # none yet: `kedro adopt TABLE --target COLUMN` reads yours and fills it in\n"


def main() -> None:
    """Read the command line, refuse a name that can't be, and make the copy."""
    parser = argparse.ArgumentParser(description="Turn this clone of the template into a project of your own.")
    parser.add_argument("package", help="name of the Python package, such as churn")
    parser.add_argument("--name", help="the project's name; the package's by default")
    parser.add_argument("--description", default="Tabular machine learning: from a table to a registered model")
    parser.add_argument("--with-sample", dest="sample", action="store_true", default=True)
    parser.add_argument("--without-sample", dest="sample", action="store_false", help="a table of your own follows")
    parser.add_argument("--without-deploy", dest="deploy", action="store_false", help="no servers, image and CI")
    parser.add_argument("--fresh-git", action="store_true", help="drop the template's history, begin one")
    parser.add_argument("--finish", choices=["copy", "update"], help=argparse.SUPPRESS)
    options = parser.parse_args()
    if problem := find_problem(options.package):
        sys.exit(f"{options.package} can't be the package's name: {problem}. Nothing was changed.")
    options.name = options.name or options.package.replace("_", " ").capitalize()
    folder = Path.cwd() if options.finish else SOURCE
    make_copy(folder, options)
    if options.finish == "copy" or options.fresh_git:
        begin_history(folder, options)


def find_problem(package: str) -> str | None:
    """Why this can't be the package's name; None if it can."""
    if not re.fullmatch("[a-z][a-z0-9_]{0,29}", package):
        return "it takes lower-case letters, digits and underscores, first a letter, at most 30"
    if package in (SOURCE / "template" / "reserved.txt").read_text().split():
        return "Python, the project or a library it uses has that name already"
    return None


def make_copy(folder: Path, options: argparse.Namespace) -> None:
    """Give the folder a package, a README and settings of its own."""
    readme = (SOURCE / "template" / "README.md").read_text(encoding="utf-8")
    sample = runpy.run_path(str(SOURCE / LIBRARY / "adoption" / "sample.py"))
    modules = {path.stem for path in (SOURCE / "src" / "project").iterdir()}
    # In an update the project itself; not the old and the new copy that it is compared with.
    updated = options.finish == "update" and is_tracked(folder, "pyproject.toml")
    unwanted = [path for path in sample["find"](SOURCE) if not options.sample]
    if updated:
        unwanted += find_removed(sample["find"](SOURCE), folder, options.package)
    if not options.finish:
        unwanted += [path for pattern in MACHINERY for path in SOURCE.glob(pattern)]
        unwanted += [SOURCE / "dvc.yaml"] * (not options.sample)  # `kedro adopt` writes one
        unwanted += [SOURCE / path for path in DEPLOY if not options.deploy]
    remove(unwanted, folder)
    for relative in {path.relative_to(SOURCE) for pattern in NAMING for path in SOURCE.glob(pattern)}:
        if (path := folder / relative).exists():
            before = path.read_text(encoding="utf-8")
            after = rewrite(relative.as_posix(), before, modules, options)
            if after != before:
                path.write_text(after, encoding="utf-8")
    if not updated and not (folder / "README.md").exists():
        (folder / "README.md").write_text(rewrite("README.md", readme, modules, options), encoding="utf-8")
    if not options.sample:
        config = folder / ".dvc" / "config"
        config.write_text(sample["without_remote"](config.read_text()))
    move(folder / "src" / "project", folder / "src" / options.package)
    (folder / MANIFEST).write_text(make_manifest(), encoding="utf-8")


def make_manifest() -> str:
    """The md5 of each file of the library in this release, as md5sum lists them."""
    listed = (git(SOURCE, "ls-files", "--", LIBRARY) or "").splitlines()
    paths = [SOURCE / path for path in listed] or [path for path in (SOURCE / LIBRARY).rglob("*") if path.is_file()]
    files = {path.relative_to(SOURCE).as_posix(): path for path in paths if "__pycache__" not in path.parts}
    return "".join(
        f"{hashlib.md5(path.read_bytes(), usedforsecurity=False).hexdigest()}  {name}\n"
        for name, path in sorted(files.items())
    )


def find_removed(sample: Iterator[Path], folder: Path, package: str) -> Iterator[Path]:
    """Folders of the sample that the user has removed. Copier would bring files in them that are new."""
    for path in sample:
        own = path.relative_to(SOURCE).as_posix().replace("src/project", f"src/{package}")
        if path.is_dir() and not is_tracked(folder, own):
            yield path


def remove(paths: list[Path], folder: Path) -> None:
    """Remove from the folder what it has of these paths of the template, and folders that are empty then."""
    for path in paths:
        for part in sorted([path, *path.rglob("*")], reverse=True):
            own = folder / part.relative_to(SOURCE)
            if own.is_file():
                own.unlink()
            elif own.is_dir() and not any(own.iterdir()):
                own.rmdir()


def rewrite(file: str, text: str, modules: set[str], options: argparse.Namespace) -> str:
    """The text of a file of the template as the copy has it."""
    # Only where it names the package: `project` is a word of English, too, and a table of pyproject.toml.
    patterns = (
        rf"(?<![\w./])project(?=\.(?:{'|'.join(sorted(modules))})\b)",  # project.features.per_item
        r"(?<=\bfrom )project(?= import )|(?<=\bimport )project\b",
        r"(?<=\bsrc/)project\b",
        r"(?<=python -m )project\b|(?<=UserWarning:)project\b|(?<=^PACKAGE := )project\b",
        r'(?<=")project(?=")',  # "src" / "project", package_name = "project"
        r"(?<=^  )project(?=:$)",  # a logger
    )
    text = re.sub("|".join(patterns), options.package, text, flags=re.MULTILINE)
    if file == "Makefile":
        text = text.partition(MAKEFILE_ENDS)[0].rstrip() + "\n"
    elif file == "README.md":
        text = text.replace("{name}", options.name).replace("{description}", options.description)
    elif file == "pyproject.toml":
        for key, value in (("project_name", options.name), ("description", options.description)):
            line = f"{key} = {json.dumps(value, ensure_ascii=False)}"
            text = re.sub(rf"(?m)^{key} = .*$", line.replace("\\", r"\\"), text)
    return text if options.sample else forget_sample(file, text)


def forget_sample(file: str, text: str) -> str:
    """The text without columns of the sample."""
    if file == "conf/base/parameters.yml":
        text = re.sub(r"(?m)^table:\n(?: .*\n)+", NO_TABLE, text)
    elif file.startswith("conf/base/"):
        text = re.sub(r"(?m)^( +(?:by|columns|keep|keys|slices): )\[.*?\]", r"\1[]", text)
    return text


def move(old: Path, new: Path) -> None:
    """Move a package, into the one that is there if there is one."""
    if old == new:
        return
    for path in [path for path in old.rglob("*") if path.is_file()]:
        target = new / path.relative_to(old)
        target.parent.mkdir(parents=True, exist_ok=True)
        path.replace(target)
    shutil.rmtree(old)


def begin_history(folder: Path, options: argparse.Namespace) -> None:
    """One commit in a repository of the copy's own, unless it lies in one already."""
    if not options.finish:
        dropped = folder / ".git"
        shutil.rmtree(dropped) if dropped.is_dir() else dropped.unlink(missing_ok=True)
    if git(folder, "rev-parse", "--is-inside-work-tree") is not None:
        print("The copy lies in a git repository already: nothing is committed.")
        return
    git(folder, "init", "--quiet")
    git(folder, "add", "--all")
    message = f"Start {options.name} from the template"
    # Not with a name that git would make up of the machine's.
    if git(folder, "-c", "user.useConfigOnly=true", "commit", "--quiet", "--message", message) is None:
        print("git could not commit, maybe since it does not know your name: nothing is committed yet.")


def is_tracked(folder: Path, path: str) -> bool:
    """Does the repository that the folder lies in have this file, or anything in this folder?"""
    return bool(git(folder, "ls-files", "--", path))


def git(folder: Path, *arguments: str) -> str | None:
    """What git says in a folder; None if it fails or is not there."""
    # A hook of another repository, for example, sets these to its own.
    foreign = ("GIT_DIR", "GIT_INDEX_FILE", "GIT_WORK_TREE")
    environment = {name: value for name, value in os.environ.items() if name not in foreign}
    try:
        done = subprocess.run(
            ["git", "-C", str(folder), *arguments], env=environment, capture_output=True, text=True, check=False
        )
    except OSError:
        return None
    return done.stdout if done.returncode == 0 else None


if __name__ == "__main__":
    main()
