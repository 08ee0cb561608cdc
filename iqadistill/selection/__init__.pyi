from .base import Selector, keep_count
from .baselines import FacilityLocationSelector, HerdingSelector, KCenterSelector, RandomSelector
from .ranking import create_selector, rank_patches
from .residual import HighestResidualSelector, ResidualSelector
from .similarity import similarity_matrix, spectral_target, spectrum

__all__ = [
    "FacilityLocationSelector",
    "HerdingSelector",
    "HighestResidualSelector",
    "KCenterSelector",
    "RandomSelector",
    "ResidualSelector",
    "Selector",
    "create_selector",
    "keep_count",
    "rank_patches",
    "similarity_matrix",
    "spectral_target",
    "spectrum",
]
