"""Code, data and environment of a run, identified by content.

In: the project's files, runs and versions. Out: tags of MLflow runs, dvc.yaml, the origin of a version or file, and
its reproduction.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
