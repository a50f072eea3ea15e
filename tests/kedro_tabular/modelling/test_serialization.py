import os
import subprocess
import sys

import pytest
from kedro_tabular.modelling import serialization
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.gaussian_process.kernels import RBF

from ...conftest import make_table

TREES = ["sklearn.ensemble._hist_gradient_boosting.predictor.TreePredictor"]

# Fits trees and stores them, without all that the tests import.
PROGRAM = f"""
import sys
from pathlib import Path
import numpy as np
import pandas as pd
from sklearn.ensemble import HistGradientBoostingClassifier
from kedro_tabular.modelling import serialization
rows = pd.DataFrame(np.random.default_rng(0).normal(size=(300, 2)), columns=["size", "weight"])
trees = HistGradientBoostingClassifier(max_iter=5, random_state=0).fit(rows, rows["size"] > 0)
serialization.dump(trees, Path(sys.argv[1]), {TREES})
"""


def fit_trees():
    table = make_table(300)
    return HistGradientBoostingClassifier(max_iter=5, random_state=0).fit(table[["size", "weight"]], table["answer"])


def test_two_fits_give_the_same_bytes_and_so_does_what_is_read_back(tmp_path):
    paths = [tmp_path / name for name in ("first", "second", "again")]
    serialization.dump(fit_trees(), paths[0], TREES)
    serialization.dump(fit_trees(), paths[1], TREES)
    serialization.dump(serialization.load(paths[0], TREES), paths[2], TREES)
    assert paths[0].read_bytes() == paths[1].read_bytes() == paths[2].read_bytes()


def test_another_process_with_another_hash_seed_gives_the_same_bytes(tmp_path):
    for seed in ("1", "2"):
        environment = os.environ | {"PYTHONHASHSEED": seed}
        subprocess.run([sys.executable, "-c", PROGRAM, tmp_path / seed], env=environment, check=True)
    assert (tmp_path / "1").read_bytes() == (tmp_path / "2").read_bytes()


def test_predictions_survive(tmp_path):
    trees, table = fit_trees(), make_table(100, seed=3)[["size", "weight"]]
    serialization.dump(trees, tmp_path / "trees", TREES)
    restored = serialization.load(tmp_path / "trees", TREES)
    assert (restored.predict_proba(table) == trees.predict_proba(table)).all()


def test_an_object_of_untrusted_types_is_not_stored_and_the_earlier_file_stays(tmp_path):
    path = tmp_path / "model"
    serialization.dump(fit_trees(), path, TREES)
    earlier = path.read_bytes()
    with pytest.raises(serialization.UntrustedTypeError, match=r"kernels\.RBF.*trusted_types in conf"):
        serialization.dump(RBF(), path, TREES)
    assert path.read_bytes() == earlier
    assert list(tmp_path.iterdir()) == [path]


def test_a_file_of_untrusted_types_is_not_loaded(tmp_path):
    serialization.dump(fit_trees(), tmp_path / "model", TREES)
    with pytest.raises(serialization.UntrustedTypeError, match="TreePredictor"):
        serialization.load(tmp_path / "model", [])
