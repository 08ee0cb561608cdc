from .consistency import SelfConsistencyLoss
from .inductive_bias import IntermediateHead, ReverseDistillationLoss
from .masked_distillation import MaskedDistillationLoss
from .quality import QualityLoss
from .ranking import RelativeRankingLoss
from .ranking_consistency import RankingConsistencyLoss
from .spatial_mask import MASKINGS, SpatialMask
from .transforms import TRANSFORMS

__all__ = [
    "MASKINGS",
    "TRANSFORMS",
    "IntermediateHead",
    "MaskedDistillationLoss",
    "QualityLoss",
    "RankingConsistencyLoss",
    "RelativeRankingLoss",
    "ReverseDistillationLoss",
    "SelfConsistencyLoss",
    "SpatialMask",
]
