"""The HTTP service: endpoints, batches and the served version; `serving.log` is the prediction log.

In: requests and `params:serving`. Out: predictions of the champion, each in the log before it is returned.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
