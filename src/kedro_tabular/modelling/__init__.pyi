from .dates import DatetimeParts, datetime_part
from .estimators import build_estimator, fit_on_columns, fit_on_features, with_input_steps
from .fallback import GroupMeans, GroupRates
from .guard import Guard, conformal_quantile, possible_classes
from .labels import unwrap
from .packaged_model import PackagedModel
from .preprocessing import FeatureSettings, build_preprocessor, fit_features
from .scores import decide, score
from .signature import make_signature
from .threads import one_thread
from .transformers import LeanColumnTransformer

__all__ = [
    "DatetimeParts",
    "FeatureSettings",
    "GroupMeans",
    "GroupRates",
    "Guard",
    "LeanColumnTransformer",
    "PackagedModel",
    "build_estimator",
    "build_preprocessor",
    "conformal_quantile",
    "datetime_part",
    "decide",
    "fit_features",
    "fit_on_columns",
    "fit_on_features",
    "make_signature",
    "one_thread",
    "possible_classes",
    "score",
    "unwrap",
    "with_input_steps",
]
