import re

import pytest
from kedro_tabular.registry.query import QueryError, select

RECORDS = [
    {
        "model": "churn",
        "version": 3,
        "alias": ["champion"],
        "age": 0.5,
        "gate": "passed",
        "metrics.roc_auc": 0.71,
        "params.estimator.class": "sklearn.ensemble.HistGradientBoostingClassifier",
        "data.table": "82046ff6d0c1b7a1a0e5a3f2b4c6d8e0",
    },
    {"model": "churn", "version": 2, "alias": [], "age": 8, "gate": "refused", "metrics.roc_auc": 0.65},
    {"model": "a model", "version": 10, "alias": ["challenger"], "age": 30, "gate": "passed", "metrics.mae": 3},
]


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("metrics.roc_auc > 0.7", [0]),
        ("metrics.roc_auc >= 0.65 and gate = refused", [1]),
        ("gate = passed and not alias = champion", [2]),
        ("alias = champion or alias = challenger", [0, 2]),
        ("alias != champion", [1, 2]),
        ("(gate = refused or metrics.mae < 4) and age > 1d", [1, 2]),
        ("gate = refused or metrics.mae < 4 and age > 10d", [1, 2]),
        ("age < 12h", []),
        ("age <= 12h", [0]),
        ("age > 1w AND version = 10", [2]),
        ("version > 9", [2]),
        ("data.table = 82046ff6", [0]),
        ("data.table = 82046ff6d0c1b7a1a0e5a3f2b4c6d8e0", [0]),
        ("data.table = 8204", []),
        ("data.table != 82046ff6", []),
        ("model = 'a model'", [2]),
        ('model = "a model"', [2]),
        ("params.estimator.class ~ histgradient", [0]),
        ("not metrics.roc_auc > 0.7", [1, 2]),
    ],
)
def test_a_query_selects_the_matching_versions(query, expected):
    assert select(query, RECORDS) == expected


@pytest.mark.parametrize(
    "query", ["", "metrics.roc_auc", "metrics.roc_auc >", "a = 1 and", "(version = 1", "version = 1 2"]
)
def test_an_invalid_query_is_refused_with_the_position(query):
    with pytest.raises(QueryError, match="can't be read at"):
        select(query, RECORDS)


@pytest.mark.parametrize(
    ("query", "rest"),
    [
        ("version = 1 or or gate = passed", " or gate = passed"),
        ("version = 1 (gate = passed)", "(gate = passed)"),
        ("gate = passed and __import__('os')", " __import__('os')"),
        ("@pd.eval(1) = 1", "@pd.eval(1) = 1"),
        ("(version = 1", "its end"),
    ],
)
def test_the_position_is_where_the_query_becomes_invalid(query, rest):
    with pytest.raises(QueryError, match=re.escape(f"can't be read at {rest!r}")):
        select(query, RECORDS)


def test_an_unknown_field_is_named_with_similar_fields():
    with pytest.raises(QueryError, match=r"'metric.roc_auc'; there are metrics.roc_auc"):
        select("version = 2 and metric.roc_auc > 1", RECORDS)
    assert select("anything = 1", []) == []
