"""The code that is archived with a model: what the packaged model runs of the library and the project, and no more."""

from collections.abc import Mapping
from functools import cache
from pathlib import Path

from ..lineage import LIBRARY, defining_module, import_closure, package_folder
from ..modelling import serialization

_ROOT = f"{LIBRARY}.modelling.packaged_model"


def model_code(artifacts: Mapping[str, str]) -> dict[Path, Path]:
    """Source files by their path below the folder of archived code.

    Args:
        artifacts: files of the stored objects by name. The code includes their classes from the project, such as the
            user's own estimator.
    """
    fitted = [Path(path) for path in artifacts.values() if path.endswith(".skops")]
    types = {name for path in fitted for name in serialization.types_in(path)}
    modules = import_closure([_ROOT, *map(defining_module, types)])
    stubs = [path.with_suffix(".pyi") for path in modules.values() if path.with_suffix(".pyi").is_file()]
    packages = {name.partition(".")[0] for name in modules}
    return {
        path.relative_to(package_folder(package).parent): path
        for package in sorted(packages)
        for path in sorted([*modules.values(), *stubs])
        if path.is_relative_to(package_folder(package))
    }


def copy_code(folder: Path, artifacts: Mapping[str, str]) -> list[str]:
    """Copy the code of a model below a folder. Returns the folders of its packages."""
    for relative_path, path in model_code(artifacts).items():
        copy = folder / relative_path
        copy.parent.mkdir(parents=True, exist_ok=True)
        copy.write_bytes(path.read_bytes())
    return sorted(str(package) for package in folder.iterdir() if package.is_dir())


def is_current(archived: Path) -> bool:
    """Whether archived code is the current code, byte for byte: then the model can be loaded in this process."""
    files = [path for path in archived.rglob("*.py*") if path.suffix in (".py", ".pyi")]
    return bool(files) and all(path.read_bytes() == _current_file(path.relative_to(archived)) for path in files)


@cache
def _current_file(relative_path: Path) -> bytes | None:
    """A file of an importable package; None if there is none.

    Read once, because a running process keeps the modules that it has imported when the files change.
    """
    try:
        path = package_folder(relative_path.parts[0]).parent / relative_path
    except ModuleNotFoundError:
        return None
    return path.read_bytes() if path.is_file() else None
