"""Non-aligned-reference teacher of RKIQT: compares patches with pristine ones of other content."""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from timm.models.mlp_mixer import MixerBlock
from torch import Tensor, nn

from iqadistill.losses.quality import QualityLoss
from iqadistill.models.backbone import Backbone
from iqadistill.models.rkiqt.reference_pool import ReferencePool
from iqadistill.models.teachers.nar_teacher import NarTeacherSettings

EXPANSION = 4
FIXED_REFERENCES = 4


class NARTeacher(nn.Module):
    """Non-aligned-reference teacher of arXiv 2312.00591, on the basis of CVRKD-IQA (arXiv 2202.13123).

    Each of a backbone's four stages is averaged to cells x cells and brought to `width` channels by a 1 x 1
    convolution, for the image (LQ) and for a pristine reference of any content (HQ). One MLP-Mixer takes the
    differences HQ - LQ of all stages, another the image's own maps; a token is a cell. The score is
    Linear([mean of the image's tokens; mean of the differences' tokens]).

    CVRKD-IQA (github.com/guanghaoyin/CVRKD-IQA) joins the maps of 10 crops of an image, and of 10 of a reference, to
    10 * 4 * 64 channels before its mixers. Here the mixers take one patch and one reference, 4 * 64 channels: a score
    then belongs to a patch, as that of its student does, any number of patches of any sampler can be pooled at test,
    and a selector may keep any patches. There the convolution comes before the average; the two
    commute, and this order costs less. Its two linear layers at the end, with nothing between them, are one.

    Args:
        settings: Settings of the teacher.
        size: Side in pixels of the patches; other sizes work as well.

    Raises:
        InputError: The backbone or its weights do not exist.
    """

    def __init__(self, settings: NarTeacherSettings, size: int):
        super().__init__()
        width, cells, mixer_width = settings.width, settings.cells, settings.mixer_width
        self.width, self.cells, self.freeze_backbone = width, cells, settings.freeze_backbone
        self.backbone = Backbone(settings.backbone, settings.weights, size)
        self.backbone.requires_grad_(not self.freeze_backbone)
        self.projections = nn.ModuleList(nn.Conv2d(channels, width, 1) for channels in self.backbone.channels)
        joined = width * len(self.projections)
        self.difference_mixer = _mixer(joined, cells**2, mixer_width, settings.difference_depth)
        self.image_mixer = _mixer(joined, cells**2, mixer_width, settings.image_depth)
        self.head = nn.Linear(2 * mixer_width, 1)

    def train(self, mode: bool = True) -> "NARTeacher":
        """Training or eval mode; a frozen backbone stays in eval mode."""
        super().train(mode)
        if self.freeze_backbone:
            self.backbone.eval()
        return self

    def forward(self, patches: Tensor, references: Tensor) -> Tensor:
        """Scores (B,) of patches.

        Args:
            patches: Patches (B, 3, H, W) in [0, 1].
            references: Pristine patches (B, 3, h, w) in [0, 1], one per patch.
        """
        maps = self.project(patches)
        return self.score(maps, self.differences(maps, self.project(references)))

    def project(self, patches: Tensor) -> list[Tensor]:
        """Maps (B, width, cells, cells) of the four stages, shallow to deep, of patches (B, 3, H, W) in [0, 1]."""
        stages = zip(self.projections, self.backbone(patches), strict=True)
        return [projection(F.adaptive_avg_pool2d(stage, self.cells)) for projection, stage in stages]

    def differences(self, maps: Sequence[Tensor], pristine: Sequence[Tensor]) -> list[Tensor]:
        """Differences HQ - LQ (B, width, cells, cells) of the four stages.

        Args:
            maps: Maps of the patches as returned by `project`.
            pristine: Maps of the references as returned by `project`.
        """
        return [high - low for high, low in zip(pristine, maps, strict=True)]

    def score(self, maps: list[Tensor], differences: list[Tensor]) -> Tensor:
        """Scores (B,) of patches.

        Args:
            maps: Maps of the patches as returned by `project`.
            differences: Differences to the references as returned by `differences`.
        """
        mixers = ((self.image_mixer, maps), (self.difference_mixer, differences))
        means = [mixer(torch.cat(stages, 1).flatten(2).mT).mean(1) for mixer, stages in mixers]
        return self.head(torch.cat(means, 1)).squeeze(1)


class NARTraining(nn.Module):
    """Training of a teacher with a pool of pristine patches; its state dict is the teacher's below `teacher`.

    Args:
        teacher: Teacher, trained in place.
        pool: References of training and validation.

    Attributes:
        teacher: The teacher.
    """

    def __init__(self, teacher: NARTeacher, pool: ReferencePool):
        super().__init__()
        self.teacher, self.pool = teacher, pool
        # every process has the references: they need not be broadcast in each step
        self._ddp_params_and_buffers_to_ignore = ["pool.patches"]
        self.quality_loss = QualityLoss()

    @property
    def backbone(self) -> nn.Module:
        """The teacher's backbone."""
        return self.teacher.backbone

    def forward(self, patches: Tensor) -> Tensor:
        """Scores (B,) of patches (B, 3, H, W) in [0, 1]: means over a few references of the pool, always the same."""
        maps = self.teacher.project(patches)
        pristine = self.teacher.project(self.pool.pixels(self.pool.spread(FIXED_REFERENCES)))
        scores = [
            self.teacher.score(maps, self.teacher.differences(maps, reference))
            for reference in zip(*pristine, strict=True)
        ]
        return torch.stack(scores).mean(0)

    def losses(self, patches: Tensor, quality: Tensor) -> dict[str, Tensor]:
        """The L1 loss (), by its name; each patch is compared with a reference drawn from the pool.

        Args:
            patches: Patches (B, 3, H, W) in [0, 1].
            quality: Quality (B,) in [0, 1].
        """
        references = self.pool.pixels(self.pool.draw(len(patches)))
        return {"quality": self.quality_loss(self.teacher(patches, references), quality)}


def _mixer(channels: int, tokens: int, width: int, depth: int) -> nn.Sequential:
    """MLP-Mixer from tokens (B, tokens, channels) to (B, tokens, width)."""
    # timm takes both expansions relative to the width and rounds down
    ratios = ((EXPANSION * tokens + 0.5) / width, EXPANSION)
    blocks = [MixerBlock(width, tokens, ratios) for _ in range(depth)]
    return nn.Sequential(nn.Linear(channels, width), *blocks, nn.LayerNorm(width))
