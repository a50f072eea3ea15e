from .layers import merge, read_segments, states
from .loader import ConfigLoader, read_conf
from .models import (
    BASE,
    MODELS,
    POOLED,
    check_model,
    check_name,
    conf_layers,
    current_model,
    model_folder,
    model_names,
    to_name,
)
from .paths import is_of_model, is_segment, place

__all__ = [
    "BASE",
    "MODELS",
    "POOLED",
    "ConfigLoader",
    "check_model",
    "check_name",
    "conf_layers",
    "current_model",
    "is_of_model",
    "is_segment",
    "merge",
    "model_folder",
    "model_names",
    "place",
    "read_conf",
    "read_segments",
    "states",
    "to_name",
]
