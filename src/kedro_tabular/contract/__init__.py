"""The contract: the schema of the table, and the checks and conversions that follow from it.

In: `params:table`, raw rows and files. Out: columns in the contract's types, and reasons for the rows that break it.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
