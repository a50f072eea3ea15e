"""docs/howto.md: each diff applied, each command run in a project that has adopted a table of orders."""

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from contextlib import closing
from pathlib import Path
from sqlite3 import connect
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
import yaml
from kedro_tabular.commands.serve import load_conf
from kedro_tabular.modelling import serialization
from sklearn.linear_model import LogisticRegression

from ..conftest import run_kedro
from .conftest import commit, copy_alone, git

pytestmark = pytest.mark.slow

QUICK = "evaluation.importance_rows=50,evaluation.importance_repeats=1,gate.resamples=20,estimator.kwargs.max_iter=20"
RAW = "data/01_raw/orders.csv"
ORDERS = 700

# What a model answers that is loaded anywhere, with no code but its own.
ASK = """
import mlflow, pandas as pd
mlflow.set_tracking_uri("sqlite:///mlflow.db")
newest = max(int(found.version) for found in mlflow.MlflowClient().search_model_versions())
model = mlflow.pyfunc.load_model(f"models:/orders/{newest}")
rows = pd.read_csv("data/01_raw/orders.csv", parse_dates=["ordered_at"]).head(3).astype({"items": float})
print(model.predict(rows, params={"explain": True})["explanation"].iloc[0]["contributions"])
"""


def make_orders() -> pd.DataFrame:
    """Orders of four months; a dear item, or one from the web, comes back more often."""
    rng = np.random.default_rng(0)
    minutes = np.sort(rng.integers(0, 120 * 24 * 60, ORDERS))
    orders = pd.DataFrame(
        {
            "amount": rng.gamma(2, 40, ORDERS).round(2),
            "items": rng.integers(1, 9, ORDERS),
            "channel": rng.choice(["app", "shop", "web"], ORDERS),
            "country": rng.choice(["AT", "CH", "DE", "FR"], ORDERS),
            "ordered_at": pd.Timestamp("2025-01-01") + pd.to_timedelta(minutes, unit="min"),
        }
    )
    margin = (orders["amount"] / orders["items"] - 25) / 10 + (orders["channel"] == "web")
    orders["returned"] = np.where(rng.random(ORDERS) < 1 / (1 + np.exp(-margin)), "yes", "no")
    return orders


class HowTo:
    """The sections of the page as a copy has it, to be followed in the copy."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        page = (folder / "docs" / "howto.md").read_text()
        self.sections = dict(re.findall(r"^## (.+)\n((?:(?!## ).*\n)+)", page, re.MULTILINE))

    def diffs(self, section: str) -> list[str]:
        return re.findall(r"^```diff\n(.*?)^```", self.sections[section], re.MULTILINE | re.DOTALL)

    def follow(self, section: str, stages: str = "") -> str:
        """Apply the diffs and run the commands in their order; what the last command says.

        Args:
            section: its title.
            stages: the stages that are enough of a training, to save time; with none it is a whole one.
        """
        said = ""
        for diff, line in re.findall(
            r"^```diff\n(.*?)^```|^    (\S[^\n]*)", self.sections[section], re.MULTILINE | re.DOTALL
        ):
            if diff:
                command = ["git", "apply", "-"]
                subprocess.run(command, cwd=self.folder, check=True, input=diff, text=True)
            elif not line.endswith("kedro serve"):
                said = self.run(line, stages)
        return said

    def run(self, line: str, stages: str) -> str:
        words = shlex.split(line, comments=True)
        variables = dict(word.split("=") for word in words if re.match("[A-Z_]+=", word))
        tool, *arguments = words[len(variables) :]
        if "--pipeline=train" in arguments:
            arguments += ["--params", QUICK]
            if stages:
                arguments[arguments.index("--pipeline=train")] = f"--pipelines={stages}"
        with pytest.MonkeyPatch.context() as patch:
            for name, value in variables.items():
                patch.setenv(name, value)
            if tool == "kedro":
                done = run_kedro(self.folder, *arguments)
            else:
                found = Path(sys.executable).with_name(tool)
                command = [found if found.exists() else tool, *arguments]
                done = subprocess.run(command, cwd=self.folder, capture_output=True, text=True, check=False)
        assert done.returncode == 0, f"{line}\n{done.stdout}{done.stderr}"
        return done.stdout

    def json(self, file: str) -> dict:
        return json.loads((self.folder / "data" / file).read_text())

    def features(self) -> list[str]:
        return pd.read_parquet(self.folder / "data/05_model_input/train_features.parquet").columns.tolist()


@pytest.fixture(scope="module")
def adopted(template, tmp_path_factory):
    """A copy without the sample that has adopted orders."""
    folder = copy_alone(
        template, tmp_path_factory.mktemp("howto") / "orders", "orders", "--without-sample", "--fresh-git"
    )
    make_orders().to_csv(folder.parent / "orders.csv", index=False)
    command = "adopt ../orders.csv --target returned --time ordered_at --estimator boosting"
    assert f"kedro {command}".replace("../", "") in (folder / "docs" / "howto.md").read_text()
    done = run_kedro(folder, *command.split())
    assert done.returncode == 0, done.stderr
    commit(folder, "Adopt a table")
    return folder


@pytest.fixture
def howto(adopted):
    yield HowTo(adopted)
    git(adopted, "reset", "--quiet", "--hard")
    git(adopted, "clean", "--quiet", "-d", "--force")
    shutil.copy(adopted.parent / "orders.csv", adopted / RAW)


def test_every_diff_applies(howto):
    diffs = [diff for section in howto.sections for diff in howto.diffs(section)]
    assert len(diffs) == 8
    for diff in diffs:
        command = ["git", "apply", "--check", "-"]
        subprocess.run(command, cwd=howto.folder, check=True, input=diff, text=True)


def test_add_a_feature(howto):
    howto.follow("Add a feature")
    assert "amount_per_item" in howto.features()
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    asked = subprocess.run(
        [sys.executable, "-c", ASK],
        cwd=howto.folder, env=environment, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert "amount_per_item" in asked.stdout, asked.stderr


def test_add_a_column(howto):
    (howto.folder / "newer").mkdir()
    orders = make_orders().assign(coupon=np.where(np.arange(ORDERS) % 3 == 0, "spring", None))
    orders.to_csv(howto.folder / "newer/orders.csv", index=False)
    howto.follow("Add a column", "data_prep,feature_engineering")
    assert "coupon" in howto.features()


def test_take_another_model(howto):
    howto.follow("Take another model", "data_prep,feature_engineering,training")
    model = serialization.load(howto.folder / "data/06_models/model.skops", ["numpy.dtype"])
    assert isinstance(model[-1], LogisticRegression)
    assert model[-1].C == 0.5


def test_choose_a_threshold(howto):
    howto.follow("Choose a threshold")
    decision = howto.json("06_models/decision.json")
    assert decision["positive_class"] == "yes"
    assert 0 < decision["threshold"] < 0.5
    chosen, default = howto.json("08_reporting/decision.json")["levels"]
    assert chosen["cost"] < default["cost"]
    assert "Decision threshold" in (howto.folder / "data/08_reporting/report.html").read_text()


def test_add_a_metric(howto):
    assert "caught" in howto.follow("Add a metric")
    metrics, gate = howto.json("08_reporting/metrics.json"), howto.json("08_reporting/gate.json")
    assert metrics["dummy_caught"] == 1 > metrics["caught"] > 0.1  # the dummy suspects all alike
    rule = next(rule for rule in gate["rules"] if rule["rule"] == "metric caught")
    assert rule["passed"]
    known = gate["metrics"]["caught"]
    assert known["low"] <= known["challenger"] <= known["high"]


def test_add_a_pipeline(howto):
    howto.follow("Add a pipeline")
    counted = pd.read_csv(howto.folder / "data/08_reporting/returns_by_channel.csv", index_col="channel")
    orders = make_orders()
    assert counted["orders"].to_dict() == orders["channel"].value_counts().to_dict()
    stages = yaml.safe_load((howto.folder / "dvc.yaml").read_text())["stages"]
    assert stages["returns"]["outs"] == ["data/08_reporting/returns_by_channel.csv"]
    assert stages["returns"]["cmd"] == "python src/orders --pipelines=returns"


def test_add_an_environment(howto, monkeypatch):
    howto.follow("Add an environment")
    assert howto.json("08_reporting/gate.json")["promote"] == "manual"
    assert len(howto.json("08_reporting/gate.json")["rules"]) > 3  # the other rules hold as they did
    with closing(connect(howto.folder.parent / "staging.db")) as store:
        aliases = dict(store.execute("select alias, version from registered_model_aliases"))
    assert aliases["champion"] == 1
    monkeypatch.setenv("KEDRO_ENV", "staging")
    serving = load_conf(SimpleNamespace(project_path=howto.folder))["parameters"]["serving"]
    assert (serving["host"], serving["workers"], serving["port"]) == ("0.0.0.0", 2, 8000)
