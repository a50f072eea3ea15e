"""The configuration in conf/: its layers, and the models that are folders of conf/models.

In: the YAML files of conf/base, of a model and of an environment. Out: parameters, catalog and settings as one.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
