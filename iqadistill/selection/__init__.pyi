from .base import Selector, keep_count
from .kept import kept_patches
from .ranking import rank_patches
from .registry import SELECTORS
from .residual import HighestResidualSelector, ResidualSelector
from .selectors.facility import FacilityLocationSelector
from .selectors.herding import HerdingSelector
from .selectors.kcenter import KCenterSelector
from .selectors.random import RandomSelector
from .similarity import similarity_matrix, spectral_target, spectrum

__all__ = [
    "SELECTORS",
    "FacilityLocationSelector",
    "HerdingSelector",
    "HighestResidualSelector",
    "KCenterSelector",
    "RandomSelector",
    "ResidualSelector",
    "Selector",
    "keep_count",
    "kept_patches",
    "rank_patches",
    "similarity_matrix",
    "spectral_target",
    "spectrum",
]
