from types import SimpleNamespace

import pandas as pd
from kedro_tabular.registry.scoring import score_chunks

from ...conftest import fit_packaged, make_contract, make_table


def test_a_kept_column_with_the_name_of_an_output_column_gets_a_prefix():
    model, rows = fit_packaged("binary"), make_table(5).assign(prediction=7.0, order=range(5))
    champion = SimpleNamespace(name="small", version="1", predict=model.predict)
    (scored,) = score_chunks(rows, champion, make_contract(), {"keep": ["prediction", "order"]})
    assert scored.columns.is_unique
    assert scored["input.prediction"].tolist() == [7.0] * 5
    assert scored["order"].tolist() == [0, 1, 2, 3, 4]
    pd.testing.assert_series_equal(scored["prediction"], model.predict(rows)["prediction"])
