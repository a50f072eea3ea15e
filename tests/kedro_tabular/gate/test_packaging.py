import pytest
import sklearn
from kedro_tabular.gate.comparison import Comparison
from kedro_tabular.gate.packaging import pin_versions
from kedro_tabular.gate.report import write_report
from kedro_tabular.parameters import ParameterError

from ...conftest import make_contract


def test_requirements_are_pinned_to_what_is_installed():
    assert pin_versions(["scikit-learn", "scikit-learn"]) == [f"scikit-learn=={sklearn.__version__}"]


def test_a_requirement_that_is_not_installed_is_named():
    with pytest.raises(ParameterError, match=r"packaging\.requirements in conf/: .*no-such-package"):
        pin_versions(["no-such-package"])


GUARD_ASSESSMENT = {
    "metric": "accuracy",
    "rows": 1234,
    "alpha": 0.1,
    "coverage": 0.876,
    "model_share": 0.98,
    "model": 0.8,
    "fallback": 0.7,
    "combined": 0.79,
    "reasons": [{"reason": "uncertain", "action": "flag", "rows": 7, "model": 0.5, "fallback": None}],
    "levels": [{"alpha": 0.3, "coverage": 0.7, "model_share": 0.6, "model": 0.9, "fallback": 0.6, "combined": 0.75}],
}


def test_the_report_shows_all_inputs_and_needs_no_other_file():
    rule = {"rule": "metric roc_auc", "passed": True, "value": 0.75, "limit": "0.6 or more", "why": "it is"}
    measured = {"roc_auc": {"challenger": 0.75, "low": 0.7, "high": None}}
    html = write_report(
        gate={"verdict": "passed", "promote": "auto", "rules": [rule]},
        comparison=Comparison(None, None, False, 100, 0, 0, measured, [], "", [], False, None),
        metrics={"roc_auc": 0.75, "dummy_roc_auc": 0.5},
        plots={"roc_curve": lambda: "<svg/>"},
        importance_plot="<svg/>",
        guard_assessment=GUARD_ASSESSMENT,
        guard_plot="<svg/>",
        data_versions={"a.parquet": "123abc"},
        contract=make_contract(),
        estimator={"class": "some.Class", "kwargs": {"note": "<script>"}},
    )
    for shown in (
        "Passed by the gate",
        "This version becomes the champion",
        "0.7500",
        "Empirical coverage of the prediction set: 87.6% (target 90.0%)",
        "0.5000",
        "ROC curve",
        "Permutation importance",
        "123abc",
        "estimator.class",
        "some.Class",
    ):
        assert shown in html
    assert "<script>" not in html
    assert 'src="data:image/svg+xml;base64,' in html
    assert "http" not in html


@pytest.mark.parametrize(
    ("gate", "register", "experiment", "expected"),
    [
        ({}, True, None, "This version becomes the champion, if version 7 still is by then."),
        ({"champion": None}, True, None, "This version becomes the champion."),
        ({"promote": "manual"}, True, None, "This version becomes the challenger. Run kedro promote to deploy it."),
        ({"promote": "never"}, True, None, "gets no alias, because gate.promote is never. Run kedro promote"),
        ({}, True, "puffy-daks", "gets no alias, because it belongs to the experiment puffy-daks. Run kedro promote"),
        ({"verdict": "refused"}, True, "puffy-daks", "This version is registered, but not deployed."),
        ({}, False, "puffy-daks", "This version is not registered, because packaging.register is false."),
    ],
)
def test_the_report_says_what_becomes_of_the_version(monkeypatch, gate, register, experiment, expected):
    if experiment:
        monkeypatch.setenv("DVC_EXP_NAME", experiment)
    html = write_report(
        gate={"verdict": "passed", "promote": "auto", "champion": "7", "rules": []} | gate,
        comparison=Comparison(None, None, False, 100, 0, 0, {}, [], "", [], False, None),
        metrics={},
        plots={},
        importance_plot="<svg/>",
        guard_assessment=GUARD_ASSESSMENT,
        guard_plot="<svg/>",
        data_versions={},
        contract=make_contract(),
        packaging={"register": register},
    )
    assert expected in html
