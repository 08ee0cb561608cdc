"""Datasets: official archives, galleries and panoramas rendered on the spot, own images; index of pictures and scores, splits."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
