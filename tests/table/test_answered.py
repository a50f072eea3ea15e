"""Rows of the table through each door: the service, the batch scoring, the model in this process."""

import numpy as np
import pandas as pd
import pytest
import requests

from ..processes import serving
from .conftest import point, records

# What is of the wrong type in a column of each type.
WRONG = {"category": 5, "number": "no number", "datetime": "no date"}


@pytest.fixture(scope="module")
def url(own):
    with serving(own.folder) as (_, url):
        yield url


@pytest.fixture(scope="module")
def rows(own):
    """Rows that training has not seen, with the columns of the contract."""
    return own.contract.select(own.unseen().head(100))


def ask(url, asked, path="/predict"):
    told = requests.post(url + path, json={"records": asked}, timeout=60)
    assert told.status_code == 200, told.text
    return told.json()["predictions"]


def expected(own, rows):
    """What the service has to answer: the answers of the packaged model in this process."""
    answers = own.model.predict(rows)
    labels = own.model.classes
    for row in answers.to_dict(orient="records"):
        told = {"prediction": row["prediction"], "source": row["source"], "reasons": list(row["reasons"])}
        if labels is None:
            yield told | {name: None if np.isnan(row[name]) else row[name] for name in ("lower", "upper")}
        else:
            yield told | {"probability": {str(label): row[f"probability_{label}"] for label in labels}}


def without_id(answers):
    return [{name: value for name, value in answer.items() if name != "id"} for answer in answers]


def breaking(own, code):
    """The source that an answer has where this reason is found."""
    return "fallback" if own.parameters["guard"]["actions"].get(code, "fallback") == "fallback" else "model"


def test_the_service_answers_as_the_model_does_bit_for_bit(own, url, rows):
    assert without_id(ask(url, records(rows))) == list(expected(own, rows))


def test_the_services_description_names_each_column_of_the_contract(own, url):
    schemas = requests.get(f"{url}/openapi.json", timeout=60).json()["components"]["schemas"]
    row = schemas["Row"]
    assert list(row["properties"]) == list(dict.fromkeys([*own.contract.features, "id"]))  # the caller's own
    assert set(row.get("required", [])) == {n for n, c in own.contract.columns.items() if not c.nullable}
    if own.model.classes is not None:
        assert list(schemas["Probability"]["properties"]) == [str(label) for label in own.model.classes]
    (example,) = schemas["Rows"]["properties"]["records"]["examples"]
    assert ask(url, example)[0]["source"]


def test_a_value_of_a_wrong_type_is_found_and_the_rows_beside_it_are_answered_as_before(own, url, rows):
    asked = records(rows)
    sound = without_id(ask(url, asked))
    columns = list(own.contract.columns.items())[: len(asked) - 1]
    for position, (name, column) in enumerate(columns):
        asked[position][name] = WRONG[column.type]
    told = without_id(ask(url, asked))
    for answer, (name, column) in zip(told, columns, strict=False):
        assert f"wrong_type:{name}={WRONG[column.type]}" in answer["reasons"]
        assert answer["source"] == breaking(own, "wrong_type")
    assert told[len(columns) :] == sound[len(columns) :]


def test_a_value_that_has_to_be_there_is_missed(own, url, rows):
    needed = [name for name, column in own.contract.columns.items() if not column.nullable]
    asked = records(rows.iloc[:1]) * len(needed)
    for answer, name in zip(
        ask(url, [{**row, name: None} for row, name in zip(asked, needed, strict=True)]), needed, strict=True
    ):
        assert f"missing:{name}" in answer["reasons"]
        assert answer["source"] == breaking(own, "missing")


def test_what_the_features_add_sums_up_to_the_output(own, url, rows):
    asked = records(rows.head(10))
    name, column = next(iter(own.contract.columns.items()))
    asked.append(asked[0] | {name: WRONG[column.type]})
    answers = ask(url, asked, "/predict?explain=true")
    for answer in answers:
        told = answer["explanation"]
        assert told["base"] + sum(told["contributions"].values()) == pytest.approx(told["output"], abs=1e-6)
    plain = without_id(ask(url, asked))
    assert [{n: v for n, v in a.items() if n != "explanation"} for a in without_id(answers)] == [
        {n: v for n, v in a.items() if n != "explanation"} for a in plain
    ]


def test_the_inference_answers_each_row_as_the_model_does(own):
    unseen = own.unseen()
    path = own.folder / "data" / "to_score.parquet"
    unseen.to_parquet(path, index=False)
    entry = {"type": "kedro_tabular.datasets.ParquetChunksDataset", "filepath": str(path)}
    point(own.folder, inference_table=entry | {"rows": 1 + len(unseen) // 3})
    own.run("run", "--pipeline=inference")
    told = pd.read_parquet(own.folder / "data/07_model_output/predictions.parquet")
    answers = own.model.predict(unseen)
    assert len(told) == len(unseen)
    assert set(told["model_version"].astype(str)) == {own.champion()}
    assert told["reasons"].map(tuple).tolist() == answers["reasons"].tolist()
    for name in answers.columns.drop("reasons"):
        pd.testing.assert_series_equal(told[name], answers[name], check_exact=True, check_dtype=False)
    for name in own.parameters["inference"]["keep"]:
        kept = f"input.{name}" if name in answers else name
        assert told[kept].equals(unseen[name])
