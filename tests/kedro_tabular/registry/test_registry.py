import json
import shutil
from pathlib import Path

import mlflow
import pandas as pd
import pytest
from kedro.io import DatasetError
from kedro_tabular.contract.contract import ContractError
from kedro_tabular.contract.rows import to_columns
from kedro_tabular.lineage.hashes import content_md5
from kedro_tabular.registry.aliases import PromotionError, get_alias_version, promote, rollback
from kedro_tabular.registry.champion import ChampionDataset
from kedro_tabular.registry.loading import ModelError, load_model
from kedro_tabular.registry.versions import register as registering_only
from mlflow.tracking import MlflowClient

from ...conftest import fit_packaged, make_table
from .. import registering
from ..registering import break_archived_code, make_registry, package, verdict


@pytest.fixture
def registry(tmp_path, monkeypatch):
    """A registry in a SQLite file of its own, with the stored objects of a small model beside it."""
    monkeypatch.chdir(tmp_path)
    model = fit_packaged("binary")
    yield make_registry(tmp_path, model), model
    mlflow.end_run()


def register(registry, gate=None):
    registering.register(*registry, gate)


def deployed():
    return {alias: get_alias_version("small", alias) for alias in ("champion", "previous", "challenger")}


def tags(version):
    return MlflowClient().get_model_version("small", version).tags


def test_a_version_is_deployed_as_its_verdict_says(registry):
    register(registry, verdict(failed=["champion", "slice colour = red"]))
    assert deployed() == {"champion": None, "previous": None, "challenger": None}
    register(registry)
    assert deployed() == {"champion": "2", "previous": None, "challenger": None}
    register(registry, verdict("2"))
    assert deployed() == {"champion": "3", "previous": "2", "challenger": None}
    register(registry, verdict("3", promote="manual"))
    assert deployed() == {"champion": "3", "previous": "2", "challenger": "4"}
    register(registry, verdict("3", failed=["size in MB"]))
    assert deployed() == {"champion": "3", "previous": "2", "challenger": "4"}
    assert [tags(version)["gate"] for version in "12345"] == ["refused", "passed", "passed", "passed", "refused"]
    assert tags("1")["gate.failed"] == "champion, slice colour = red"
    assert tags("2")["promoted.reason"] == "first version"
    assert tags("3")["promoted.reason"] == "passed the gate against version 2"


def test_a_version_compared_with_an_earlier_champion_becomes_challenger(registry):
    register(registry)
    register(registry, verdict(champion=None))  # a run that started before there was a champion
    assert deployed() == {"champion": "1", "previous": None, "challenger": "2"}


def test_a_rollback_goes_back_once_and_a_rolled_back_version_is_not_promoted_automatically(registry):
    with pytest.raises(PromotionError, match="nothing to go back to"):
        rollback("small", "none yet")
    register(registry)
    dataset, model = registry
    with mlflow.start_run() as run:
        dataset.save(package(model, verdict("1")))
    with pytest.raises(LookupError):
        rollback("small", "its files are missing", {}.__getitem__)
    assert deployed() == {"champion": "2", "previous": "1", "challenger": None}
    assert rollback("small", "it was worse") == ("1", "2")
    assert deployed() == {"champion": "1", "previous": None, "challenger": None}
    assert tags("2")["rolled_back.reason"] == "it was worse"
    assert tags("2")["rolled_back.by"]
    with pytest.raises(PromotionError, match="nothing to go back to"):
        rollback("small", "again")
    with mlflow.start_run(run.info.run_id):
        dataset.save(package(model, verdict("1")))
    assert deployed() == {"champion": "1", "previous": None, "challenger": "2"}


def description(version):
    return MlflowClient().get_model_version("small", version).description


def obstacle(version):
    """Why it was not promoted, by its description."""
    return description(version).partition("\n")[0].partition("UTC: ")[2]


def test_a_description_says_why_a_version_did_not_become_champion(registry):
    register(registry, verdict(failed=["size in MB", "champion"]))
    assert description("1").startswith("Not promoted on 2")
    first, verdict_lines, *_ = description("1").split("\n\n")
    assert first.endswith(": refused by the gate")
    assert verdict_lines == "Gate: **refused**\n- size in MB: size in MB is bad\n- champion: champion is bad"
    register(registry)
    assert description("2").startswith("Gate: **passed**")
    register(registry, verdict("2", promote="manual"))
    assert obstacle("3") == "gate.promote is manual"
    promote("small", "3", "waited long enough")
    assert obstacle("3") == "gate.promote is manual"  # on that day


def test_a_description_that_somebody_wrote_stays(registry):
    dataset, model = registry
    register(registry)
    with mlflow.start_run() as run:
        dataset.save(package(model, verdict("1", promote="manual")))
    MlflowClient().update_model_version("small", "2", "for the holidays")
    with mlflow.start_run(run.info.run_id):
        dataset.save(package(model, verdict("1", promote="manual")))
    assert description("2") == "for the holidays"


def test_without_promotion_a_version_is_registered_with_its_verdict_and_no_alias_moves(registry, caplog):
    caplog.set_level("INFO", "kedro_tabular")
    register(registry, verdict(promote="never"))
    assert deployed() == {"champion": None, "previous": None, "challenger": None}
    assert tags("1")["gate"] == "passed"
    assert obstacle("1") == "gate.promote is never"
    assert caplog.messages[-1].endswith("gets no alias (gate.promote is never): kedro promote 1")
    promote("small", "1", "by hand")
    register(registry, verdict("1", failed=["size in MB"], promote="never"))
    assert deployed() == {"champion": "1", "previous": None, "challenger": None}
    assert tags("2")["gate"] == "refused"


@pytest.mark.parametrize("promote", ["auto", "manual"])
def test_a_version_of_an_experiment_names_it_and_gets_no_alias(registry, monkeypatch, caplog, promote):
    caplog.set_level("INFO", "kedro_tabular")
    dataset, model = registry
    register(registry)
    monkeypatch.setenv("DVC_EXP_NAME", "puffy-daks")
    with mlflow.start_run() as run:
        dataset.save(package(model, verdict("1", promote=promote)))
    assert deployed() == {"champion": "1", "previous": None, "challenger": None}
    assert (tags("2")["experiment"], tags("2")["gate"]) == ("puffy-daks", "passed")
    assert caplog.messages[-1].endswith("(it belongs to the experiment puffy-daks): kedro promote 2")
    assert obstacle("2") == "it belongs to the experiment puffy-daks"

    monkeypatch.setenv("DVC_EXP_NAME", "stricter-rules")
    with mlflow.start_run(run.info.run_id):  # the same model: its verdict stays
        dataset.save(package(model, verdict("1", failed=["size in MB"])))
    assert (tags("2")["experiment"], tags("2")["gate"]) == ("puffy-daks", "passed")
    monkeypatch.delenv("DVC_EXP_NAME")
    with mlflow.start_run(run.info.run_id):  # applied, and run outside an experiment
        dataset.save(package(model, verdict("1")))
    assert deployed() == {"champion": "2", "previous": "1", "challenger": None}


def test_without_registration_the_run_is_logged_and_no_version_exists(registry, caplog, tmp_path):
    dataset, model = registry
    with mlflow.start_run() as run:
        dataset.save(package(model, register=False))
    assert MlflowClient().search_registered_models() == []
    assert "no version of small is registered: packaging.register is false" in caplog.text
    assert [file.path for file in MlflowClient().list_artifacts(run.info.run_id)] == ["requirements.lock"]
    assert json.loads((tmp_path / "registered.json").read_text())["registered"] is False


def test_an_interrupted_promotion_is_completed_by_the_next_run(registry):
    dataset, model = registry
    register(registry)
    with mlflow.start_run() as run:
        dataset.save(package(model, verdict("1", promote="manual")))
    MlflowClient().set_registered_model_alias("small", "champion", "2")  # killed after this call
    with mlflow.start_run(run.info.run_id):
        dataset.save(package(model, verdict("2")))
    assert deployed() == {"champion": "2", "previous": None, "challenger": None}
    assert tags("2")["promoted.reason"] == "passed the gate"
    assert tags("2")["gate.champion"] == "1"  # not itself


def test_many_failed_rules_are_counted(registry):
    register(registry, verdict(failed=[f"slice town = {number}" for number in range(2000)]))
    assert tags("1")["gate.failed"].endswith("slice town = 2 and 1997 more")


def test_the_champion_dataset_loads_the_version_of_the_alias_and_its_differences(registry):
    dataset, model = registry
    champion = ChampionDataset("small")
    assert champion.load() is None
    with mlflow.start_run():
        dataset.save(package(model))
        assert champion.load().changes == []
    with mlflow.start_run():
        mlflow.log_param("max_iter", 2)
        loaded = champion.load()
    assert loaded.version == "1"
    assert ("parameters", "max_iter", "none", "2") in loaded.changes
    live = make_table(40, seed=1)[model.contract.features]
    assert loaded.predict(live).equals(model.predict(live))


def test_the_champion_runs_its_archived_code_if_the_code_has_changed(registry):
    _, model = registry
    register(registry)
    (archived,) = Path.cwd().rglob("code/kedro_tabular/modelling/packaged_model.py")
    code, source = archived.read_text(), "np.where(use_fallback, _FALLBACK, _MODEL)"
    assert source in code
    archived.write_text(code.replace(source, 'np.full(n_rows, "of old")'))
    live = make_table(40, seed=1)
    live.loc[3, "size"] = -1.0
    loaded = ChampionDataset("small").load()
    predictions = loaded.predict(live[model.contract.features])
    assert set(predictions["source"]) == {"of old"}
    expected = model.predict(live)
    pd.testing.assert_frame_equal(predictions.drop(columns="source"), expected.drop(columns="source"))
    with pytest.raises(ContractError, match="missing columns: size"):
        loaded.predict(live.drop(columns="size"))
    mixed = to_columns(live.astype(object).assign(size=[[1], *live["size"].tolist()[1:]]))
    separate = load_model(next(Path.cwd().rglob("MLmodel")).parent).predict_columns(mixed, len(live), explain=True)
    current = model.predict_columns(mixed, len(live), explain=True)
    assert separate["source"].tolist() == ["of old"] * len(live)
    assert separate["reasons"].tolist() == current["reasons"].tolist()
    assert separate["explanation"].tolist() == current["explanation"].tolist()

    loaded.predict.__self__._process.kill()  # as the system does when memory runs out
    loaded.predict.__self__._process.wait()
    assert set(loaded.predict(live)["source"]) == {"of old"}


def test_of_the_errors_of_archived_code_only_those_of_the_contract_stay_contract_errors(registry):
    register(registry)
    break_archived_code(Path.cwd())
    rows = make_table(3).drop(columns="answer")
    loaded = ChampionDataset("small").load()
    with pytest.raises(ContractError, match="missing columns: town"):
        loaded.predict(rows.drop(columns="town"))
    with pytest.raises(ModelError, match="the model raised KeyError: 'thirteen'") as raised:
        loaded.predict(rows.assign(size=13.0))
    assert not isinstance(raised.value, ContractError | ValueError)
    assert len(loaded.predict(rows)) == 3


def test_a_champion_whose_files_are_missing_raises_an_error(registry):
    register(registry)
    (folder,) = (path.parent for path in Path.cwd().rglob("MLmodel"))
    shutil.rmtree(folder)
    with pytest.raises(DatasetError, match="the files of small version 1 can't be read"):
        ChampionDataset("small").load().predict(make_table(3))


def test_the_file_of_a_registration_is_the_same_for_the_same_model(registry, tmp_path):
    dataset, model = registry
    receipt = tmp_path / "registered.json"
    written = []
    for _ in range(2):
        with mlflow.start_run():
            dataset.save(package(model))
        written.append(receipt.read_bytes())
        receipt.unlink()
    assert written[0] == written[1]
    assert json.loads(written[0])["artifacts"]["model"] == content_md5(tmp_path / "model.skops")


def test_the_run_has_the_lock_file(registry):
    dataset, model = registry
    with mlflow.start_run() as run:
        dataset.save(package(model))
    version = MlflowClient().get_model_version_by_alias("small", "champion")
    assert version.run_id == run.info.run_id
    assert "requirements.lock" in [file.path for file in MlflowClient().list_artifacts(run.info.run_id)]


def test_a_version_is_registered_with_all_of_its_verdict_at_once(registry):
    """A run may be killed right after it has registered a version."""
    dataset, model = registry
    with mlflow.start_run():
        registering_only(package(model, verdict("7", failed=["champion", "cost"])), dataset._artifacts)
    found = tags("1")
    assert (found["gate"], found["gate.failed"], found["gate.champion"]) == ("refused", "champion, cost", "7")
