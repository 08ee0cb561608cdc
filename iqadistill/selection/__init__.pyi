from .base import Selector, keep_count
from .ranking import rank_patches
from .residual import HighestResidualSelector, ResidualSelector
from .selectors.facility import FacilityLocationSelector
from .selectors.herding import HerdingSelector
from .selectors.kcenter import KCenterSelector
from .selectors.random import RandomSelector
from .similarity import similarity_matrix, spectral_target, spectrum

__all__ = [
    "FacilityLocationSelector",
    "HerdingSelector",
    "HighestResidualSelector",
    "KCenterSelector",
    "RandomSelector",
    "ResidualSelector",
    "Selector",
    "keep_count",
    "rank_patches",
    "similarity_matrix",
    "spectral_target",
    "spectrum",
]
