"""How well predictions agree with opinions, how sure that is, and whether two variants differ."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
