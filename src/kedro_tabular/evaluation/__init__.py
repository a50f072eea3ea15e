"""How good a model is on held-out rows: splits, metrics with bootstrap intervals, plots.

In: a table, and the predictions for its test rows. Out: the parts of the table, metrics by name, plots as SVG.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
