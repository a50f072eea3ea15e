"""The DVC remotes of a project, as its configuration names them, and URLs without the secrets in them."""

import configparser
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import yaml

_MASK = "***"


def dvc_root(project: Path) -> Path | None:
    """The folder with DVC's own folder, `.dvc`: the project's, or one above it; None if there is none."""
    return next((folder for folder in (project, *project.parents) if (folder / ".dvc").is_dir()), None)


def main_project(project: Path) -> Path:
    """The project that a temporary workspace of DVC belongs to; any other project is its own.

    `dvc exp run --queue` and `--temp` run in clones below `.dvc/tmp`, which are deleted afterwards.
    """
    workspace = dvc_root(project)
    own = next((folder for folder in workspace.parents if folder.name == ".dvc"), None) if workspace else None
    main = own.parent / project.relative_to(workspace) if workspace and own else project
    return main if main.is_dir() else project


def read_dvc_file(path: str, project: Path) -> dict[str, Any]:
    """The entry of a file in its `.dvc` file, with md5 and remote among others; empty if there is none."""
    file = project / f"{path}.dvc"
    return yaml.safe_load(file.read_text(encoding="utf-8"))["outs"][0] if file.exists() else {}


def remote_name(path: str, project: Path) -> str | None:
    """The DVC remote that a file's `.dvc` file names, else the default remote, if there is one."""
    default = _dvc_config(project).get("core", "remote", fallback=None)
    return read_dvc_file(path, project).get("remote") or default


def remote_uri(path: str, md5: str, project: Path) -> str:
    """Where the remote of the file stores, or would store, content with this md5; secrets in the URL are masked."""
    section = f"'remote \"{remote_name(path, project)}\"'"
    url = _dvc_config(project).get(section, "url", fallback="")
    if not url:
        return (project / path).as_uri()
    root = dvc_root(project)
    if "://" not in url and root is not None:
        url = (root / ".dvc" / url).resolve().as_uri()
    return mask_secrets(f"{url.rstrip('/')}/files/md5/{md5[:2]}/{md5[2:]}")


def mask_secrets(url: str) -> str:
    """The URL without its user, password and query, each of which may be a token."""
    try:
        parts = urlsplit(url)
    except ValueError:  # brackets in a password, for example
        return f"{url.partition('://')[0]}://{_MASK}"
    user, _, host = parts.netloc.rpartition("@")
    netloc, query = f"{_MASK}@{host}" if user else parts.netloc, _MASK if parts.query else ""
    return urlunsplit((parts.scheme, netloc, parts.path, query, ""))


def _dvc_config(project: Path) -> configparser.ConfigParser:
    config = configparser.ConfigParser(interpolation=None)  # a % in a URL is a plain character
    root = dvc_root(project)
    if root is not None:
        config.read([root / ".dvc" / "config", root / ".dvc" / "config.local"], encoding="utf-8")
    return config
