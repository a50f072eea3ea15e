"""The prediction log: requests, predictions and outcomes in a database, as the service writes and monitoring reads them."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
