from .crops import sample_crops
from .equirectangular import sample_erp, sample_latitude
from .fibonacci import sample_sphere
from .registry import SAMPLERS
from .scanpath import sample_scanpath

__all__ = [
    "SAMPLERS",
    "sample_crops",
    "sample_erp",
    "sample_latitude",
    "sample_scanpath",
    "sample_sphere",
]
