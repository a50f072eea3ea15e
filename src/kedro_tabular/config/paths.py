"""Where the files of each model are: in a folder of its own in each layer of data/.

The layers 01_raw and 02_intermediate are shared: models may train on the same table, or on the rows of it that
`table.where` picks, which the pipeline `segments` writes.
"""

import re
from typing import Any

_LAYER = re.compile(r"(?:\./)?(data/0[3-9]_\w+)/(?=.)")
RAW = "data/01_raw"
_SEGMENTS = "data/02_intermediate/segments"


def place(entry: Any, model: str) -> Any:
    """An entry of the catalog with its paths in the folders of a model."""
    if isinstance(entry, dict):
        return {key: place(value, model) for key, value in entry.items()}
    if isinstance(entry, list):
        return [place(value, model) for value in entry]
    if isinstance(entry, str):
        return _LAYER.sub(rf"\1/{model}/", entry) if _LAYER.match(entry) else entry
    return entry


def is_of_model(path: str) -> bool:
    """Whether each model has a file of its own in place of this one."""
    return _LAYER.match(path) is not None


def is_segment(path: str) -> bool:
    """Whether a file has the rows that `table.where` of a model picks."""
    return path.startswith(f"{_SEGMENTS}/")


def segment_file(model: str) -> str:
    """The file with the rows that `table.where` picks."""
    return f"{_SEGMENTS}/{model}.parquet"
