"""Which images of a collection to have rated: images that cover it, by their embeddings, without any score."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
