import pytest
import sklearn

from project.parameters import ParameterError
from project.pipelines.packaging.nodes import check_thresholds, pin


def packaging(**thresholds):
    return {"requirements": ["pandas"], "example_rows": 3, "thresholds": thresholds}


@pytest.mark.parametrize(
    ("value", "objections"),
    [
        (0.7, []),
        (0.6, []),
        (0.59, ["auc is 0.5900, outside 0.6 to 0.9"]),
        (0.95, ["auc is 0.9500, outside 0.6 to 0.9"]),
        (float("nan"), ["auc is nan, outside 0.6 to 0.9"]),
    ],
)
def test_a_metric_outside_its_threshold_is_an_objection(value, objections):
    assert check_thresholds({"auc": value}, packaging(auc={"min": 0.6, "max": 0.9})) == objections


def test_a_threshold_for_an_unknown_metric_is_refused_by_its_key():
    with pytest.raises(ParameterError, match=r"packaging\.thresholds\.area in conf/"):
        check_thresholds({"auc": 0.7}, packaging(area={"min": 0.6}))


def test_requirements_are_pinned_to_what_is_installed():
    assert pin(["scikit-learn", "scikit-learn"]) == [f"scikit-learn=={sklearn.__version__}"]


def test_a_requirement_that_is_not_installed_is_named():
    with pytest.raises(ParameterError, match=r"packaging\.requirements in conf/: .*no-such-package"):
        pin(["no-such-package"])
