from .crops import sample_crops
from .lattice import sample_sphere
from .plane import sample_erp, sample_latitude
from .registry import SAMPLER_KINDS, create_sampler
from .scanpath import sample_scanpath

__all__ = [
    "SAMPLER_KINDS",
    "create_sampler",
    "sample_crops",
    "sample_erp",
    "sample_latitude",
    "sample_scanpath",
    "sample_sphere",
]
