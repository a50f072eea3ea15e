"""Permutation importance of each column."""

import pandas as pd
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.inspection import permutation_importance
from sklearn.metrics import log_loss, make_scorer
from sklearn.pipeline import make_pipeline

from ..contract import Contract
from ..modelling import one_thread
from .metrics import Evaluation


def compute_importance(
    preprocessor: TransformerMixin,
    model: BaseEstimator,
    table: pd.DataFrame,
    contract: Contract,
    settings: Evaluation,
    seed: int,
) -> tuple[pd.DataFrame, str]:
    """The decrease in the score when one column of the contract is permuted, on a sample of rows.

    See Breiman 2001, "Random Forests", https://doi.org/10.1023/A:1010933404324.

    Returns:
        `mean` and `std` over the repeats by column, and the name of the score.
    """
    rows = table.sample(min(settings.importance_rows, len(table)), random_state=seed)
    score = scoring = "r2" if contract.task == "regression" else "roc_auc"
    if contract.task == "classification" and len(model.classes_) > 2:
        # with the classes by name, because these rows may lack some
        labelled = {"labels": model.classes_, "greater_is_better": False, "response_method": "predict_proba"}
        score, scoring = "neg_log_loss", make_scorer(log_loss, **labelled)
    with one_thread():  # many small predictions
        result = permutation_importance(
            make_pipeline(preprocessor, model),
            contract.select(rows),
            rows[contract.target],
            scoring=scoring,
            n_repeats=settings.importance_repeats,
            random_state=seed,
        )
    columns = {"mean": result.importances_mean, "std": result.importances_std}
    return pd.DataFrame(columns, index=contract.features), score
