"""Which of many models an outcome is of: those that have predicted its row."""

import json
from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa

from ..routing import Router
from ..settings import ManySettings
from .prediction_log import PredictionLog
from .records import equivalent_references
from .tables import ID, KEY, PREDICTIONS

_MAX_PARAMETERS = 500  # of a statement


def add_outcomes_of_models(
    log: PredictionLog, settings: ManySettings, router: Router, outcomes: Sequence[dict[str, Any]]
) -> int:
    """Store outcomes, each for the models that have predicted its row; return how many have no prediction yet.

    One without a prediction is stored for the model that its key names by the segment, or else for the default.

    Args:
        log: the prediction log.
        settings: of the models.
        router: of their segments.
        outcomes: dicts of the columns of `OUTCOMES` without the model.
    """
    columns = settings.shared.key_columns
    default = settings.default or next(iter(settings.models))
    found = _find_models(log, list(settings.models), [outcome["reference"] for outcome in outcomes])
    by_model: dict[str, list[dict[str, Any]]] = {}
    for outcome in outcomes:
        reference = outcome["reference"]
        key = json.loads(reference.removeprefix(KEY)) if reference.startswith(KEY) else None
        for model in found.get(reference) or [router.find_by_key(columns, key) or default]:
            by_model.setdefault(model, []).append(outcome)
    return sum(log.add_outcomes(model, by_model[model]) for model in sorted(by_model))


def _find_models(log: PredictionLog, models: Sequence[str], references: Sequence[str]) -> dict[str, list[str]]:
    """The models that have predicted the rows of references; those without a prediction are left out."""
    forms: dict[str, set[str]] = {}
    for reference in references:
        for form in equivalent_references(reference):
            forms.setdefault(form, set()).add(reference)
    found: dict[str, set[str]] = {}
    with log.engine.connect() as connection:
        for prefix, column in ((ID, PREDICTIONS.c.id), (KEY, PREDICTIONS.c.key)):
            values = [form.removeprefix(prefix) for form in forms if form.startswith(prefix)]
            query = sa.select(column, PREDICTIONS.c.model).where(PREDICTIONS.c.model.in_(models)).distinct()
            for start in range(0, len(values), _MAX_PARAMETERS):
                rows = connection.execute(query.where(column.in_(values[start : start + _MAX_PARAMETERS])))
                for value, model in rows:
                    for reference in forms[prefix + value]:
                        found.setdefault(reference, set()).add(model)
    return {reference: sorted(of) for reference, of in found.items()}
