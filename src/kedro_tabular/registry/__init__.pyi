from . import aliases
from .aliases import get_alias_version
from .champion import Champion, ChampionDataset, Difference, compare_runs
from .loading import LoadedModel, load_model
from .query import QueryError, select
from .records import VersionRecord, read_records
from .scoring import score_chunks
from .versions import ModelPackage, RegisteredModelDataset

__all__ = [
    "Champion",
    "ChampionDataset",
    "Difference",
    "LoadedModel",
    "ModelPackage",
    "QueryError",
    "RegisteredModelDataset",
    "VersionRecord",
    "aliases",
    "compare_runs",
    "get_alias_version",
    "load_model",
    "read_records",
    "score_chunks",
    "select",
]
