"""The changes that `kedro adopt` makes to the project's files: shown as a diff, or applied."""

import difflib
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import click

from ..files import write_atomically


@dataclass
class Changes:
    """Files to write, to delete and to put under DVC. Nothing changes before `apply`."""

    project: Path
    texts: dict[Path, str] = field(default_factory=dict)
    deleted: list[Path] = field(default_factory=list)
    table: tuple[Path, Path] | None = None  # the user's file, and where it is copied to

    def write(self, path: Path, text: str) -> None:
        """Plan to write a file, unless it has this text already."""
        if not path.exists() or path.read_text(encoding="utf-8") != text:
            self.texts[path] = text

    def __bool__(self) -> bool:
        return bool(self.texts or self.deleted or self.table)

    def diff(self) -> str:
        """All changes of text as a unified diff, after a line for each other change."""
        lines = []
        if self.table:
            destination = self.table[1].relative_to(self.project)
            lines.append(f"copy {self.table[0]} to {destination}, dvc add {destination}")
        for path in self.deleted:
            lines.append(f"delete {path.relative_to(self.project)}{'/' if path.is_dir() else ''}")
        for path, text in self.texts.items():
            name = str(path.relative_to(self.project))
            before = path.read_text(encoding="utf-8").splitlines() if path.exists() else []
            lines += difflib.unified_diff(before, text.splitlines(), f"a/{name}", f"b/{name}", lineterm="")
        return "\n".join(lines)

    @contextmanager
    def preview(self) -> Iterator[Path]:
        """A temporary folder with conf/ and dvc.yaml as they are once the changes are made."""
        with tempfile.TemporaryDirectory() as folder:
            future = Path(folder)
            shutil.copytree(self.project / "conf", future / "conf", ignore=shutil.ignore_patterns("local"))
            if (self.project / "dvc.yaml").exists():
                shutil.copy(self.project / "dvc.yaml", future)
            self._apply_to(future)
            yield future

    def apply(self) -> None:
        """Make the changes. `dvc add` comes first, because it can fail."""
        if self.table:
            self._add_table(*self.table)
        self._apply_to(self.project)

    def _apply_to(self, folder: Path) -> None:
        for path, text in self.texts.items():
            file = folder / path.relative_to(self.project)
            if path.is_relative_to(self.project / "conf"):
                file.parent.mkdir(parents=True, exist_ok=True)
            if file.parent.exists():
                write_atomically(file, text)
        for path in self.deleted:
            file = folder / path.relative_to(self.project)
            if file.is_dir():
                shutil.rmtree(file)
            else:
                file.unlink(missing_ok=True)

    def _add_table(self, table: Path, destination: Path) -> None:
        if table != destination:
            destination.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(table, destination)
        command = [str(Path(sys.executable).with_name("dvc")), "add", str(destination)]
        completed = subprocess.run(command, cwd=self.project, capture_output=True, text=True, check=False)
        if completed.returncode:
            if table != destination:
                destination.unlink()
            error = completed.stderr.strip()
            raise click.ClickException(f"dvc add {destination.name} failed, nothing is changed: {error}")
