"""Several models at once: run a pipeline for each in processes, and keep DVC's files of each in step.

In: the names of models of conf/models. Out: what became of each, as it happens.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
