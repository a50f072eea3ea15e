"""The state of the project's code: its commit, and the uncommitted changes that a run needs.

Archived are changes of tracked files, and new files that the run reads as code or configuration. Secrets, keys, data
and large files are never archived; a tag names what was left out.
"""

from collections.abc import Callable, Iterable
from fnmatch import fnmatch
from pathlib import Path, PurePosixPath
from tempfile import TemporaryDirectory
from typing import NamedTuple

from ..parameters import Section
from .git import GitError, run_git
from .hashes import bytes_md5
from .provenance import GIT

# Names of files and folders, in small letters.
_SECRETS = (
    *(".env*", "*credential*", "*secret*", "*password*", ".netrc", ".pgpass", ".htpasswd"),
    *("*.pem", "*.key", "*.p12", "*.pfx", "*.jks", "*.keystore", "*.ppk"),
    *("id_rsa*", "id_dsa*", "id_ecdsa*", "id_ed25519*"),
)
_DATA = (
    *("arrow", "avro", "csv", "db", "duckdb", "feather", "gz", "h5", "hdf5", "jsonl", "ndjson", "npy", "npz", "ods"),
    *("orc", "parquet", "pickle", "pkl", "sqlite", "tsv", "xls", "xlsx", "zip"),
)
_POINTERS = (".dvc", ".md", ".gitignore", ".gitkeep")  # git has them in data/, beside the data
_SOURCES = (".py", ".pyi", ".yml", ".yaml", ".json")  # code and configuration
_LISTED = 20  # names in the tag
_NONE = "none"
# The user's own settings of `git diff` do not count.
_LOCKS = (":(exclude)dvc.lock", ":(exclude,glob)conf/models/*/dvc.lock")  # runs write them
_DIFF = ("diff", "--no-renames", "--no-ext-diff", "--no-textconv", "--no-color", "--src-prefix=a/", "--dst-prefix=b/")


class Archive(Section):
    """The section `lineage.archive` of the parameters: what is archived of uncommitted changes."""

    max_file_kb: float = 500
    never: tuple[str, ...] = ()

    def excludes(self, path: str, size: int) -> bool:
        """Whether a file, given relative to the project, is never archived."""
        parts = PurePosixPath(path.lower()).parts
        is_secret = any(fnmatch(part, pattern) for part in parts for pattern in (*_SECRETS, *self.never))
        in_data = parts[0] == "data" and not path.endswith(_POINTERS)
        is_data = in_data or PurePosixPath(parts[-1]).suffix.removeprefix(".") in _DATA
        return is_secret or is_data or size > self.max_file_kb * 1000


class Lineage(Section):
    """The section `lineage` of the parameters."""

    archive: Archive = Archive()


class CodeState(NamedTuple):
    """The state of the source: tags, and the diff of uncommitted changes (empty if there are none)."""

    tags: dict[str, str]
    diff: bytes  # lines may have any ending and any encoding


def describe_code(project: Path, archive: Archive, find_sources: Callable[[], set[Path]]) -> CodeState:
    """Commit, branch and uncommitted changes, but not of dvc.lock, which runs write.

    Outside a git repository, or before its first commit, a tag says so instead.

    Args:
        project: the project's folder.
        archive: what is never archived.
        find_sources: finds the files that the run reads as code or configuration. Called if there are new ones.
    """
    try:
        commit = run_git(project, "rev-parse", "--verify", "HEAD").decode().strip()
    except GitError:
        reason = "no commit yet" if _is_repository(project) else "not a git repository"
        return CodeState({GIT + "commit": f"none: {reason}"}, b"")
    committed, changed = _committed_sizes(project), _changed_files(project)
    sizes = {path: max(_size(project / path), committed.get(path, 0)) for path in changed}
    excluded = {path for path, size in sizes.items() if archive.excludes(path, size)}
    new = _names(run_git(project, "ls-files", "--others", "--exclude-standard", "-z", "--", ".", *_LOCKS))
    candidates = [path for path in new if path.endswith(_SOURCES)]
    sources = find_sources() if candidates else set()
    read = {path for path in candidates if (project / path).resolve() in sources}
    read = {path for path in read if not archive.excludes(path, _size(project / path))}
    diff = _diff(project, {path for path in changed if path not in committed} - excluded | read, excluded)
    tags = {
        "commit": commit,
        "branch": run_git(project, "rev-parse", "--abbrev-ref", "HEAD").decode().strip(),
        "dirty": str(bool(diff or excluded)).lower(),
        "diff": bytes_md5(diff) if diff else _NONE,
        "left_out": _list_names(excluded.union(new) - read),
    }
    return CodeState({GIT + name: value for name, value in tags.items()}, diff)


def _changed_files(project: Path) -> list[str]:
    """The files that git tracks and that differ from the last commit, relative to the project."""
    listed = run_git(project, *_DIFF, "--name-only", "--relative", "-z", "HEAD", "--", ".", *_LOCKS)
    return _names(listed)


def _committed_sizes(project: Path) -> dict[str, int]:
    """The size in bytes of each file of the project in the last commit."""
    sizes: dict[str, int] = {}
    for line in _names(run_git(project, "ls-tree", "-r", "-l", "-z", "HEAD")):
        description, _, path = line.partition("\t")
        size = description.split()[3]
        sizes[path] = int(size) if size.isdigit() else 0  # a submodule has none
    return sizes


def _diff(project: Path, added: set[str], excluded: set[str]) -> bytes:
    """The changes of the files of the last commit, and some new files, as a patch from the repository's root."""
    with TemporaryDirectory() as folder:
        # A separate index: the diff includes new files, and the user's index does not change.
        environment = {"GIT_INDEX_FILE": str(Path(folder) / "index")}
        run_git(project, "read-tree", "HEAD", environment=environment)
        paths = [f":(literal){path}" for path in sorted(added) if (project / path).exists()]
        if paths:
            run_git(project, "add", "--intent-to-add", "--force", "--", *paths, environment=environment)
        exceptions = [f":(exclude,literal){path}" for path in sorted(excluded)]
        return run_git(project, *_DIFF, "--binary", "HEAD", "--", ".", *_LOCKS, *exceptions, environment=environment)


def _is_repository(project: Path) -> bool:
    try:
        run_git(project, "rev-parse", "--git-dir")
    except GitError:
        return False
    return True


def _names(output: bytes) -> list[str]:
    """The items of a list that git separates by null bytes; names may have any bytes."""
    return [name.decode(errors="surrogateescape") for name in output.split(b"\0") if name]


def _size(path: Path) -> int:
    return path.lstat().st_size if path.is_symlink() or path.exists() else 0


def _list_names(names: Iterable[str]) -> str:
    listed = sorted(name.encode(errors="replace").decode() for name in names)
    more = f" and {len(listed) - _LISTED} more" if len(listed) > _LISTED else ""
    return ", ".join(listed[:_LISTED]) + more if listed else _NONE
