"""What DVC records of a model."""

import pytest
from kedro_tabular.models.dvc_files import DvcError, commit_model


def test_a_folder_without_dvc_is_told(tmp_path):
    with pytest.raises(DvcError, match=r"dvc commit failed:\n.*not inside of a DVC repository"):
        commit_model(tmp_path, "store_1")
