"""A study: one YAML file that stands alone, validated before any work starts, and the jobs it needs."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
