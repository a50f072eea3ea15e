"""Compares production traffic with the profile of its model: drift, quality, service, alerts and a report.

In: scored rows, and the profiles of the versions that scored them. Out: a verdict, findings, alerts, a report.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
