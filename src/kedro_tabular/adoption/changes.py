"""What `kedro adopt` changes in the project: shown as a diff, or made."""

import difflib
import shutil
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path

import click


@dataclass
class Changes:
    """Files to write, to delete and to put under DVC. Nothing is changed before `make`."""

    project: Path
    texts: dict[Path, str] = field(default_factory=dict)
    removed: list[Path] = field(default_factory=list)
    table: tuple[Path, Path] | None = None  # the user's file, and where it goes

    def write(self, path: Path, text: str) -> None:
        """Have a file hold a text; one that does already is no change."""
        if not path.exists() or path.read_text() != text:
            self.texts[path] = text

    def __bool__(self) -> bool:
        return bool(self.texts or self.removed or self.table)

    def diff(self) -> str:
        """All changes as a unified diff, preceded by what is more than text."""
        lines = []
        if self.table:
            place = self.table[1].relative_to(self.project)
            lines.append(f"copy {self.table[0]} to {place}, dvc add {place}")
        for path in self.removed:
            lines.append(f"delete {path.relative_to(self.project)}{'/' if path.is_dir() else ''}")
        for path, text in self.texts.items():
            name = str(path.relative_to(self.project))
            before = path.read_text().splitlines() if path.exists() else []
            lines += difflib.unified_diff(before, text.splitlines(), f"a/{name}", f"b/{name}", lineterm="")
        return "\n".join(lines)

    def in_copy(self, copy: Path, folders: tuple[str, ...]) -> "Changes":
        """Those of the changes that are in some folders, for a copy of the project that has only these."""

        def moved(path: Path) -> Path | None:
            inside = path.relative_to(self.project)
            return copy / inside if inside.parts[0] in folders else None

        texts = {new: text for path, text in self.texts.items() if (new := moved(path))}
        return Changes(copy, texts, [new for path in self.removed if (new := moved(path))])

    def make(self) -> None:
        """Make the changes: first what can fail."""
        if self.table:
            self._add_table(*self.table)
        for path, text in self.texts.items():
            path.write_text(text)
        for path in self.removed:
            if path.is_dir():
                shutil.rmtree(path)
            else:
                path.unlink()

    def _add_table(self, given: Path, place: Path) -> None:
        new = given != place
        if new:
            shutil.copy(given, place)
        dvc = Path(sys.executable).with_name("dvc")
        command = [str(dvc), "add", str(place)]
        done = subprocess.run(command, cwd=self.project, capture_output=True, text=True, check=False)
        if done.returncode:
            if new:
                place.unlink()
            raise click.ClickException(f"dvc add {place.name} failed, nothing is changed: {done.stderr.strip()}")
