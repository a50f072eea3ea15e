"""The prediction log: a database of rows, predictions and outcomes, which the service writes and monitoring reads."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
