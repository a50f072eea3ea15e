"""Whether the library is as its release has it: a file that was edited conflicts with the next update.

python -m kedro_tabular.lineage.release
"""

import sys
from pathlib import Path

import click

from .hashes import content_md5

MANIFEST = ".kedro_tabular.md5"  # in a copy of the template: the md5 of each library file, as md5sum lists them


def edited_files(project: Path) -> list[str]:
    """Library files that differ from the release or are missing; none in a folder without a manifest."""
    manifest = project / MANIFEST
    if not manifest.exists():
        return []
    lines = [line.split(maxsplit=1) for line in manifest.read_text(encoding="utf-8").splitlines()]
    return [name for md5, name in lines if not (project / name).exists() or content_md5(project / name) != md5]


def main() -> None:
    """Name the edited files, and fail if there are any."""
    edited = edited_files(Path.cwd())
    if edited:
        click.echo("library files differ from the release, so `copier update` will conflict in them:", err=True)
        click.echo("".join(f"  {name}\n" for name in edited), err=True, nl=False)
        click.echo("Move the change into your package. To keep it, remove these lines from " + MANIFEST, err=True)
        sys.exit(1)


if __name__ == "__main__":
    main()
