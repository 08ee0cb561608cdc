"""ADTRS student: attention down-sampling with relative ranking and self-consistency."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from iqadistill.errors import InputError
from iqadistill.losses.consistency import SelfConsistencyLoss
from iqadistill.losses.quality import QualityLoss
from iqadistill.losses.ranking import RelativeRankingLoss
from iqadistill.losses.ranking_consistency import RankingConsistencyLoss
from iqadistill.losses.transforms import TRANSFORMS
from iqadistill.models.adtrs.attention_downsampling import AttentionDownsampling
from iqadistill.models.adtrs.l2_pooling import L2Pooling
from iqadistill.models.backbone import Backbone, quality_head
from iqadistill.models.students.adtrs import AdtrsSettings


class ADTRS(nn.Module):
    """Attention down-sampling transformer with relative ranking and self-consistency, arXiv 2409.07115.

    Four stages of a backbone are L2-pooled, dropped out, averaged to the cells of the last one and joined to a map T;
    attention halves it to O. With F4 the backbone's last map, the score is q = Linear([a; c]), a = Linear(mean of O),
    c = mean of F4. ADTRS-ResNet-50 has 41.3 million parameters, 43.3 with the ImageNet classifier that the paper's
    count of 43 includes, unused.

    For a batch and its transform t (the views I and tI), `losses` returns the weighted parts, of scores and qualities
    times the span of the scores,

        quality               L_Q(I) + L_Q(tI)
        consistency           L_SC(I) + L_SC(tI), over the maps O and F4
        ranking_consistency   |L_RR(I) - sg L_RR(tI)| + |L_RR(tI) - sg L_RR(I)|
        ranking               L_RR(I) + L_RR(tI)

    The authors' release (github.com/MAS94/ADTRS) learns each dataset's own scores. L_Q and L_RR are homogeneous of
    degree 1 in scores and labels, L_SC contains neither: on qualities in [0, 1] the consistency, and with it the decay
    that Adam adds to the gradient, would weigh as many times more as the scores span. Here the network predicts
    qualities, and these losses are multiplied by the span of the scores, which makes them the release's.

    The release differs where it seems to be in error: there c is the mean of the top left 4 x 4 of F4's 7 x 7 cells,
    here of all; there the backbone runs four times a step, here once per view for the same losses. The views run one
    after the other, as there: in a joint batch each would be normalised with the other's statistics, and no
    stop-gradient could separate them. Before training every score is 0.5, the middle of the scale: with a head of
    random weights the first scores spread as far as the last stage's features do, several times the scale on
    EfficientNet-Lite0, and small steps need epochs to unlearn that.

    Args:
        settings: Settings of the student.
        size: Side in pixels of the patches; other sizes work as well, their maps are averaged to the same number of
            cells.

    Raises:
        InputError: The backbone or its weights do not exist, or its map is too small for the attention blocks.
    """

    def __init__(self, settings: AdtrsSettings, size: int):
        super().__init__()
        self.weights, self.given_span = settings.loss_weights(), settings.score_span
        self.score_span = settings.score_span or 1.0
        self.transform = TRANSFORMS[settings.transform]
        self.branches, self.dropout, self.align = settings.branches, settings.dropout, settings.align
        self.consistency_dropout = settings.consistency_dropout
        self.quality_loss = QualityLoss()
        self.consistency_loss = SelfConsistencyLoss()
        self.ranking_loss = RelativeRankingLoss(settings.margin_scale)
        self.ranking_consistency_loss = RankingConsistencyLoss()

        self.backbone = Backbone(settings.backbone, settings.weights, size)
        last, width, self.cells = self.backbone.channels[-1], sum(self.backbone.channels), self.backbone.cells
        if self.branches != "cnn":
            cells = [self.cells]
            while len(cells) <= settings.blocks:
                cells.append((cells[-1] + 1) // 2)
            if cells[-2] == 1:
                raise InputError(
                    f"adtrs: blocks {settings.blocks}, expected fewer, so that each has a map to halve; patches of "
                    f"{size} pixels give {self.cells} x {self.cells} cells."
                )
            self.l2_pooling = L2Pooling()
            blocks = [AttentionDownsampling(width, side, settings.heads) for side in cells[:-1]]
            self.attention = nn.Sequential(*blocks)
            self.attention_head = nn.Linear(width, last)
        self.head = quality_head(last * (2 if self.branches == "fused" else 1))

    def forward(self, patches: Tensor) -> Tensor:
        """Scores (B,) of patches (B, 3, H, W) in [0, 1]."""
        stages = self._stages(patches)
        return self._score(self._maps(stages, self.dropout))

    def set_score_span(self, span: float) -> None:
        """Measure the losses on the scale of the scores that are learned, unless the settings give another.

        Args:
            span: Difference between the scores of quality 1 and 0; 1 until it is set.
        """
        self.score_span = self.given_span or span

    def losses(self, patches: Tensor, quality: Tensor) -> dict[str, Tensor]:
        """Weighted parts () of the loss by name; their sum is minimised.

        Args:
            patches: Patches (B, 3, H, W) in [0, 1].
            quality: Quality (B,) in [0, 1].
        """
        views = [self._stages(view) for view in (patches, self.transform(patches))]
        maps = [self._maps(stages, self.dropout) for stages in views]
        scores = [self.score_span * self._score(view) for view in maps]
        quality = self.score_span * quality
        ranking = [self.ranking_loss(view, quality) for view in scores]
        parts = {
            "quality": lambda: sum(self.quality_loss(view, quality) for view in scores),
            "consistency": lambda: self._consistency(views, maps),
            "ranking_consistency": lambda: self.ranking_consistency_loss(*ranking),
            "ranking": lambda: sum(ranking),
        }
        return {name: weight * parts[name]() for name, weight in self.weights.items() if weight}

    def _stages(self, patches: Tensor) -> list[Tensor]:
        """One pass of the backbone: the L2-pooled stages, as far as the head needs them, and F4 last."""
        features = self.backbone(patches)
        pooled = [] if self.branches == "cnn" else [self.l2_pooling(stage) for stage in features]
        return [*pooled, features[-1]]

    def _maps(self, stages: list[Tensor], dropout: float) -> dict[str, Tensor]:
        """Maps O and F4 by branch, as far as the branches are used."""
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
            # after the passes with gradient: autocast would reuse in them the weights cast for a pass without
            with torch.no_grad():
                targets = [self._maps(stages, 0.0) for stages in views]
        (first, first_target), (second, second_target) = (
            [list(branches.values()) for branches in pair] for pair in zip(maps, targets, strict=True)
        )
        if self.align:
            first, first_target = ([self.transform(stage) for stage in stages] for stages in (first, first_target))
        return self.consistency_loss(first, second_target) + self.consistency_loss(second, first_target)


def _average(maps: Tensor, cells: int) -> Tensor:
    """Maps (B, C, h, w) averaged to (B, C, cells, cells)."""
    factor = maps.shape[-1] // cells
    if maps.shape[-2:] == (factor * cells, factor * cells):  # the same means, on CPU ten times as fast
        return F.avg_pool2d(maps, factor)
    return F.adaptive_avg_pool2d(maps, cells)
