"""Registered versions in MLflow: their aliases, their archived code, records of all of them, queries.

In: a packaged model with the gate's verdict. Out: versions that can be found, compared, loaded and asked.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
