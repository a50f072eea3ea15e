import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from kedro_tabular.datasets import ParquetChunksDataset
from kedro_tabular.modelling.signature import make_signature
from kedro_tabular.registry.champion import Champion
from kedro_tabular.registry.scoring import score_chunks
from mlflow.models import Model

from ...conftest import fit_packaged, make_contract, make_table


class Registered(Champion):
    """A champion whose files are in a folder, with the signature that it would be registered with."""

    def __init__(self, folder, model):
        Model(signature=make_signature(model)).save(str(folder / "MLmodel"))
        self.name, self.version, self._folder, self.predict = "small", "1", folder, model.predict


@pytest.fixture
def champion(tmp_path):
    (tmp_path / "model").mkdir()
    return Registered(tmp_path / "model", fit_packaged("binary"))


def test_a_kept_column_with_the_name_of_an_output_column_gets_a_prefix(champion):
    rows = make_table(5).assign(prediction=7.0, order=range(5))
    (scored,) = score_chunks(rows, champion, make_contract(), {"keep": ["prediction", "order"]})
    assert scored.columns.is_unique
    assert scored["input.prediction"].tolist() == [7.0] * 5
    assert scored["order"].tolist() == [0, 1, 2, 3, 4]
    pd.testing.assert_series_equal(scored["prediction"], champion.predict(rows)["prediction"])


def test_the_types_of_the_output_are_those_of_the_input_and_of_the_model(champion, tmp_path):
    """Whatever the first chunk has: here no id, and no reason."""
    table = make_table(30)
    ids = [*[None] * 10, 2**53 + 1, *range(19)]
    table["colour"] = table["colour"].where(np.arange(30) < 10, "purple")
    raw = pa.Table.from_pandas(table).append_column("prediction", pa.array(ids, pa.int64()))
    pq.write_table(raw, tmp_path / "in.parquet")
    out = ParquetChunksDataset(str(tmp_path / "out.parquet"))
    chunks = ParquetChunksDataset(str(tmp_path / "in.parquet"), rows=10).load()
    out.save(score_chunks(chunks, champion, make_contract(), {"keep": ["prediction", "when"]}))
    written = pq.read_table(tmp_path / "out.parquet")
    assert written["input.prediction"].to_pylist() == ids
    expected = {"input.prediction": pa.int64(), "prediction": pa.int64(), "probability_1": pa.float64()}
    expected |= {"source": pa.string(), "reasons": pa.list_(pa.string()), "when": raw.schema.field("when").type}
    assert {name: written.schema.field(name).type for name in expected} == expected
    assert written["reasons"].to_pylist()[-1] == ["unseen_category:colour=purple"]
