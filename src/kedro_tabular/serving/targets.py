"""What a path asks for, as the middleware needs it before the request is routed."""

from collections.abc import Collection
from typing import NamedTuple

_PREDICTION_PATHS = ("/predict", "/invocations")


class Target(NamedTuple):
    """The route of a path, as metrics name it; the model; and whether predictions are asked for."""

    route: str
    model: str
    is_prediction: bool


class Targets:
    """The targets of paths: of routes, in which `{name}` stands for each of the models.

    What is about no model is about `default`.
    """

    def __init__(self, routes: Collection[str], default: str, models: Collection[str] = ()) -> None:
        self._targets: dict[str, Target] = {}
        self._other = Target("other", default, False)  # clients must not create label values
        for route in routes:
            is_prediction = route.endswith(_PREDICTION_PATHS)
            for model in models if "{name}" in route else [default]:
                self._targets[route.replace("{name}", model)] = Target(route, model, is_prediction)

    def find(self, path: str) -> Target:
        """The target of a path."""
        return self._targets.get(path, self._other)
