"""Whether a trained model may be deployed: comparison with the champion, rules, verdict and report.

In: fitted objects, metrics, the test rows and the champion. Out: a verdict, a report and a package for the registry.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
