"""Datasets: registry, labels and index, splits; official archives are retrieved and galleries rendered."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
