from . import aliases
from .aliases import get_alias_version
from .champion import Champion, ChampionDataset, Difference, PooledDataset, compare_runs
from .copying import CopyError, copy_version
from .description import failed_rules
from .loading import LoadedModel, ModelError, load_model
from .overview import ModelSummary, read_overview
from .permissions import check_may_register
from .promotion import no_alias_reason
from .query import QueryError, select
from .records import VersionRecord, find_by_content, read_records
from .scoring import score_chunks
from .versions import ModelPackage, RegisteredModelDataset

__all__ = [
    "Champion",
    "ChampionDataset",
    "CopyError",
    "Difference",
    "LoadedModel",
    "ModelError",
    "ModelPackage",
    "ModelSummary",
    "PooledDataset",
    "QueryError",
    "RegisteredModelDataset",
    "VersionRecord",
    "aliases",
    "check_may_register",
    "compare_runs",
    "copy_version",
    "failed_rules",
    "find_by_content",
    "get_alias_version",
    "load_model",
    "no_alias_reason",
    "read_overview",
    "read_records",
    "score_chunks",
    "select",
]
