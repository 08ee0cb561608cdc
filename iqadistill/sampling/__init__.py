"""Where on an image patches are taken; patch tables hold coordinates, never pixels."""

from iqadistill.sampling.crops import sample_crops
from iqadistill.sampling.lattice import sample_sphere
from iqadistill.sampling.plane import sample_erp, sample_latitude
from iqadistill.sampling.registry import SAMPLER_KINDS, create_sampler
from iqadistill.sampling.scanpath import sample_scanpath

__all__ = [
    "SAMPLER_KINDS",
    "create_sampler",
    "sample_crops",
    "sample_erp",
    "sample_latitude",
    "sample_scanpath",
    "sample_sphere",
]
