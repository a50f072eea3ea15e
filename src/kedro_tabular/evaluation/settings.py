"""The section `evaluation` of the parameters."""

from pydantic import Field

from ..parameters import Section


class Evaluation(Section):
    """How the model is evaluated."""

    calibration_bins: int = Field(ge=2)
    importance_rows: int = Field(ge=1)
    importance_repeats: int = Field(ge=1)
    alphas: list[float]
