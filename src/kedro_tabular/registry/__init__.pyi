from .aliases import get_alias_version
from .champion import ChampionDataset, Change, differences
from .loading import LoadedModel, load_model
from .query import QueryError, select
from .records import VersionRecord, read_records
from .scoring import score_chunks
from .versions import ModelPackage, RegisteredModelDataset

__all__ = [
    "ChampionDataset",
    "Change",
    "LoadedModel",
    "ModelPackage",
    "QueryError",
    "RegisteredModelDataset",
    "VersionRecord",
    "differences",
    "get_alias_version",
    "load_model",
    "read_records",
    "score_chunks",
    "select",
]
