"""What students minimise."""

from iqadistill.losses.consistency import SelfConsistencyLoss
from iqadistill.losses.quality import QualityLoss
from iqadistill.losses.ranking import RelativeRankingLoss
from iqadistill.losses.ranking_consistency import RankingConsistencyLoss
from iqadistill.losses.transforms import TRANSFORMS, create_transform

__all__ = [
    "TRANSFORMS",
    "QualityLoss",
    "RankingConsistencyLoss",
    "RelativeRankingLoss",
    "SelfConsistencyLoss",
    "create_transform",
]
