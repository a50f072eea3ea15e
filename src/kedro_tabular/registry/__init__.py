"""Registered versions in MLflow: aliases, archived code, records, queries.

In: a packaged model with the gate's verdict. Out: versions that can be found, compared, loaded and used to predict.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
