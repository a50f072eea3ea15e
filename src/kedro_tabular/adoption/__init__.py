"""Put the project on the user's own table: what `kedro adopt` infers from a file, and what it changes.

In: a file and the options of the command. Out: a contract, settings for conf/base, and the changes that write them.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
