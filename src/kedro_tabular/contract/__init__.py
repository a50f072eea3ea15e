"""The table contract: what one row must look like, and rows, columns and files checked against it.

In: `params:table`, raw rows and files. Out: columns in the contract's types, and the reasons why a row is not as it says.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
