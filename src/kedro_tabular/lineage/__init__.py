"""Code, data and environment of a run by content: MLflow tracking, dvc.yaml, and the way back from a version.

In: the project's files, runs and versions. Out: tags, the stages of dvc.yaml, origins and reproductions.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
