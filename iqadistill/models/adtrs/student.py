"""The student with attention down-sampling, relative ranking and self-consistency."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from iqadistill.errors import InputError
from iqadistill.losses.consistency import SelfConsistencyLoss
from iqadistill.losses.quality import QualityLoss
from iqadistill.losses.ranking import RelativeRankingLoss
from iqadistill.losses.ranking_consistency import RankingConsistencyLoss
from iqadistill.losses.transforms import create_transform
from iqadistill.models.adtrs.attention_downsampling import AttentionDownsampling
from iqadistill.models.adtrs.l2_pooling import L2Pooling
from iqadistill.models.backbone import Backbone
from iqadistill.models.quality_head import quality_head

BRANCHES = ("fused", "cnn", "attention")
CONSISTENCY_DROPOUT = ("one_view", "both_views")


class ADTRS(nn.Module):
    """Attention down-sampling transformer with relative ranking and self-consistency, arXiv 2409.07115.

    Four stages of a backbone are L2-pooled, dropped out, averaged to the cells of the last one and joined to a map T; attention
    halves it to O. With F4 the backbone's last map, the score is q = Linear([a; c]), a = Linear(mean of O), c = mean of F4.
    ADTRS-ResNet-50 has 41.3 million parameters, 43.3 with the ImageNet classifier that the paper's count of 43 keeps, unused.

    Of a batch and its transform t (the views I and tI), `losses` gives the weighted parts

        quality               L_Q(I) + L_Q(tI)
        consistency           L_SC(I) + L_SC(tI), over the maps O and F4
        ranking_consistency   |L_RR(I) - sg L_RR(tI)| + |L_RR(tI) - sg L_RR(I)|
        ranking               L_RR(I) + L_RR(tI)

    The authors' release (github.com/MAS94/ADTRS) differs where it seems to be in error: there c is the mean of the top left
    4 x 4 of F4's 7 x 7 cells, here of all; there margins are in each dataset's unit, here qualities are in [0, 1]; there the
    backbone runs four times a step, here once a view for the same losses. The views run one after the other, as there: in a joint
    batch either would be normalised with the other's statistics, and no stop-gradient could part them.
    Before training every score is 0.5, the middle of the scale: a head of random weights starts with scores that spread as far as
    the last stage's numbers do, several times the scale on EfficientNet-Lite0, and small steps take epochs to unlearn them.

    Args:
        backbone: A network of timm, see `iqadistill.models.backbone.Backbone`.
        pretrained: Its weights: False, True or "packaged".
        size: Side in pixels of the patches; other sizes work as well, their maps are averaged to the same number of cells.
        branches: What is scored: "fused", "cnn" (F4 alone) or "attention" (O alone). The consistency compares the same maps.
        blocks: Attention blocks in a row; each halves the map again: 7, 4, 2, 1 cells a side.
        dropout: Rate on the L2-pooled stages, in [0, 1).
        consistency_dropout: "one_view" as in the release: a view's O with dropout is drawn to the other's O without; "both_views": both
            have dropout, each its own.
        transform: A key of `iqadistill.losses.TRANSFORMS`.
        align: Whether I's maps undergo the transform before they are compared with tI's; the release compares them as they are.
        margin_scale: Of the ranking loss's margins.
        quality_weight: Of the part "quality". A part whose weight is 0 is neither computed nor given.
        consistency_weight: Of the part "consistency".
        ranking_consistency_weight: Of the part "ranking_consistency".
        ranking_weight: Of the part "ranking".

    Raises:
        InputError: A setting is none of those offered or out of range.
    """

    def __init__(
        self,
        backbone: str = "resnet50",
        pretrained: bool | str = False,
        size: int = 224,
        branches: str = "fused",
        blocks: int = 1,
        dropout: float = 0.1,
        consistency_dropout: str = "one_view",
        transform: str = "horizontal_flip",
        align: bool = False,
        margin_scale: float = 1.0,
        quality_weight: float = 1.0,
        consistency_weight: float = 1.0,
        ranking_consistency_weight: float = 0.5,
        ranking_weight: float = 0.05,
    ):
        super().__init__()
        _expect("branches", branches, BRANCHES)
        _expect("consistency_dropout", consistency_dropout, CONSISTENCY_DROPOUT)
        if not 0 <= dropout < 1:
            raise InputError(f"adtrs: dropout {dropout}, expected a rate in [0, 1).")
        self.weights = {
            "quality": quality_weight,
            "consistency": consistency_weight,
            "ranking_consistency": ranking_consistency_weight,
            "ranking": ranking_weight,
        }
        if min(margin_scale, *self.weights.values()) < 0 or not any(self.weights.values()):
            raise InputError("adtrs: weights and margin_scale must be at least 0, and one weight above; correct them.")
        self.transform = create_transform(transform)
        self.branches, self.dropout, self.align = branches, dropout, align
        self.consistency_dropout = consistency_dropout
        self.quality_loss = QualityLoss()
        self.consistency_loss = SelfConsistencyLoss()
        self.ranking_loss = RelativeRankingLoss(margin_scale)
        self.ranking_consistency_loss = RankingConsistencyLoss()

        self.backbone = Backbone(backbone, pretrained, size)
        last, width, self.cells = self.backbone.channels[-1], sum(self.backbone.channels), self.backbone.cells
        if branches != "cnn":
            cells = [self.cells]
            while len(cells) <= blocks:
                cells.append((cells[-1] + 1) // 2)
            if blocks < 1 or cells[-2] == 1:
                raise InputError(
                    f"adtrs: blocks {blocks}, expected at least 1 and a map left to halve; patches of {size} pixels give "
                    f"{self.cells} x {self.cells} cells."
                )
            self.l2_pooling = L2Pooling()
            self.attention = nn.Sequential(*(AttentionDownsampling(width, side) for side in cells[:-1]))
            self.attention_head = nn.Linear(width, last)
        self.head = quality_head(last * (2 if branches == "fused" else 1))

    def forward(self, patches: Tensor) -> Tensor:
        """Scores (B,) of patches (B, 3, H, W) in [0, 1]."""
        stages = self._stages(patches)
        return self._score(self._maps(stages, self.dropout))

    def losses(self, patches: Tensor, quality: Tensor) -> dict[str, Tensor]:
        """Weighted parts () of the loss of patches (B, 3, H, W) in [0, 1] of quality (B,) in [0, 1]; minimise their sum."""
        views = [self._stages(view) for view in (patches, self.transform(patches))]
        maps = [self._maps(stages, self.dropout) for stages in views]
        scores = [self._score(own) for own in maps]
        ranking = [self.ranking_loss(own, quality) for own in scores]
        parts = {
            "quality": lambda: sum(self.quality_loss(own, quality) for own in scores),
            "consistency": lambda: self._consistency(views, maps),
            "ranking_consistency": lambda: self.ranking_consistency_loss(*ranking),
            "ranking": lambda: sum(ranking),
        }
        return {name: weight * parts[name]() for name, weight in self.weights.items() if weight}

    def _stages(self, patches: Tensor) -> list[Tensor]:
        """The backbone's one pass: what the head needs of it, L2-pooled stages and F4 last."""
        features = self.backbone(patches)
        pooled = [] if self.branches == "cnn" else [self.l2_pooling(stage) for stage in features]
        return [*pooled, features[-1]]

    def _maps(self, stages: list[Tensor], dropout: float) -> dict[str, Tensor]:
        """O and F4, as far as the branches have them."""
        *pooled, last = stages
        maps = {}
        if self.branches != "cnn":
            dropped = [F.dropout(stage, dropout, self.training) for stage in pooled]
            joined = torch.cat([_average(stage, self.cells) for stage in dropped], dim=1)
            maps["attention"] = self.attention(joined)
        if self.branches != "attention":
            maps["cnn"] = last
        return maps

    def _score(self, maps: dict[str, Tensor]) -> Tensor:
        means = {branch: stage.mean((2, 3)) for branch, stage in maps.items()}
        if "attention" in means:
            means["attention"] = self.attention_head(means["attention"])
        return self.head(torch.cat(list(means.values()), dim=1)).squeeze(1)

    def _consistency(self, views: list[list[Tensor]], maps: list[dict[str, Tensor]]) -> Tensor:
        targets = maps
        if self.training and self.dropout and self.consistency_dropout == "one_view":
            # after the passes with gradient: autocast would give those the weights it cast for a pass without
            with torch.no_grad():
                targets = [self._maps(stages, 0.0) for stages in views]
        (own, own_target), (other, other_target) = (
            [list(found.values()) for found in pair] for pair in zip(maps, targets, strict=True)
        )
        if self.align:
            own, own_target = ([self.transform(stage) for stage in found] for found in (own, own_target))
        return self.consistency_loss(own, other_target) + self.consistency_loss(other, own_target)


def _average(maps: Tensor, cells: int) -> Tensor:
    """Maps (B, C, h, w) averaged to (B, C, cells, cells)."""
    factor = maps.shape[-1] // cells
    if maps.shape[-2:] == (factor * cells, factor * cells):  # the same means, on CPU ten times as fast
        return F.avg_pool2d(maps, factor)
    return F.adaptive_avg_pool2d(maps, cells)


def _expect(key: str, value: str, known: tuple[str, ...]) -> None:
    if value not in known:
        raise InputError(f"adtrs: {key} {value!r}, expected {' or '.join(known)}.")
