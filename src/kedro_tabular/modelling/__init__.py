"""The packaged model: preprocessing, estimator, guard, fallback and explanations behind one `predict`.

In: training rows and settings. Out: fitted objects, stored as data; and predictions for raw rows, with their reasons.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
