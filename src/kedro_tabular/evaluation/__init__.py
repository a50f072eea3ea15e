"""How good a model is on rows that training has not seen: splits, metrics and their intervals, plots.

In: a table, and the predictions for its test rows. Out: its parts, metrics by name, plots as SVG.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
