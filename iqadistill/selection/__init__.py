"""Which patches of an image to keep: residual selection (arXiv 2412.12667) and the baselines it is compared with."""

from iqadistill.selection.base import Selector, keep_count
from iqadistill.selection.baselines import FacilityLocationSelector, HerdingSelector, KCenterSelector, RandomSelector
from iqadistill.selection.ranking import create_selector, rank_patches
from iqadistill.selection.residual import HighestResidualSelector, ResidualSelector
from iqadistill.selection.similarity import similarity_matrix, spectral_target, spectrum

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
