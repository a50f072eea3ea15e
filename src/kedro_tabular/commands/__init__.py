"""The commands that appear under `kedro`, one module each: arguments, one call of another package, a table.

In: the project and the arguments. Out: what is printed, and an exit code.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
