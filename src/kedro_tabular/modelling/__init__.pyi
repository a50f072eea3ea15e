from .estimators import build_estimator, fit_on_columns, fit_on_features, with_imputation
from .fallback import GroupMeans, GroupRates
from .guard import Guard, conformal_quantile, possible_classes
from .packaged_model import PackagedModel
from .preprocessing import FeatureSettings, build_preprocessor, fit_features
from .scores import score
from .transformers import DatetimeParts, LeanColumnTransformer

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
    "fit_features",
    "fit_on_columns",
    "fit_on_features",
    "possible_classes",
    "score",
    "with_imputation",
]
