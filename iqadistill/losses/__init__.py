"""What students minimise."""

from iqadistill.losses.consistency import SelfConsistencyLoss
from iqadistill.losses.inductive_bias import IntermediateHead, ReverseDistillationLoss
from iqadistill.losses.masked_distillation import MaskedDistillationLoss
from iqadistill.losses.quality import QualityLoss
from iqadistill.losses.ranking import RelativeRankingLoss
from iqadistill.losses.ranking_consistency import RankingConsistencyLoss
from iqadistill.losses.spatial_mask import MASKINGS, SpatialMask
from iqadistill.losses.transforms import TRANSFORMS, create_transform

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
    "create_transform",
]
