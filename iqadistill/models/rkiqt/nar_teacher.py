"""The teacher that compares a picture with pristine ones of other content."""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from timm.models.mlp_mixer import MixerBlock
from torch import Tensor, nn

from iqadistill.errors import InputError
from iqadistill.losses.quality import QualityLoss
from iqadistill.models.backbone import Backbone
from iqadistill.models.rkiqt.reference_pool import ReferencePool

EXPANSION = 4
FIXED_REFERENCES = 4


class NARTeacher(nn.Module):
    """Non-aligned-reference teacher of arXiv 2312.00591, on the basis of CVRKD-IQA (arXiv 2202.13123).

    Each of a backbone's four stages is averaged to cells x cells and brought to `width` channels by a 1 x 1 convolution, for the
    picture (LQ) and for a pristine reference of any content (HQ). One MLP-Mixer reads the differences HQ - LQ of all stages,
    another the picture's own maps; a token is a cell. The score is Linear([mean of the pictures' tokens; of the differences']).

    CVRKD-IQA (github.com/guanghaoyin/CVRKD-IQA) joins the maps of 10 crops of a picture, and of 10 of a reference, to
    10 * 4 * 64 channels before its mixers. Here the mixers see one patch and one reference, 4 * 64 channels: a score then belongs to
    a patch, as the student's does that learns from it, any number of patches of any sampler can be pooled at test, and a selector
    may keep what it likes. There the convolution comes before the average; the two commute, and this order costs less. Its two
    linear layers at the end, with nothing between them, are one.

    Args:
        backbone: A network of timm or RedNet, see `iqadistill.models.backbone.Backbone`.
        pretrained: Its weights, see there.
        size: Side in pixels of the patches; other sizes work as well.
        freeze_backbone: Whether the backbone keeps its weights and statistics in training.
        width: Channels of each stage's maps.
        cells: Cells a side of these maps.
        mixer_width: Numbers a token in the mixers.
        difference_depth: Blocks of the mixer of the differences.
        picture_depth: Blocks of the mixer of the picture.

    Raises:
        InputError: A setting is none of those offered or out of range.
    """

    def __init__(
        self,
        backbone: str = "resnet50",
        pretrained: bool | str = False,
        size: int = 224,
        freeze_backbone: bool = True,
        width: int = 64,
        cells: int = 7,
        mixer_width: int = 256,
        difference_depth: int = 18,
        picture_depth: int = 9,
    ):
        super().__init__()
        if min(width, cells, mixer_width, difference_depth, picture_depth) < 1:
            raise InputError("nar_teacher: width, cells, mixer_width and depths must be at least 1; correct them.")
        self.cells, self.freeze_backbone = cells, freeze_backbone
        self.backbone = Backbone(backbone, pretrained, size)
        self.backbone.requires_grad_(not freeze_backbone)
        self.projections = nn.ModuleList(nn.Conv2d(channels, width, 1) for channels in self.backbone.channels)
        joined = width * len(self.projections)
        self.difference_mixer = _mixer(joined, cells**2, mixer_width, difference_depth)
        self.picture_mixer = _mixer(joined, cells**2, mixer_width, picture_depth)
        self.head = nn.Linear(2 * mixer_width, 1)

    def train(self, mode: bool = True) -> "NARTeacher":
        """Training or eval mode; a frozen backbone stays in eval mode."""
        super().train(mode)
        if self.freeze_backbone:
            self.backbone.eval()
        return self

    def forward(self, patches: Tensor, references: Tensor) -> Tensor:
        """Scores (B,) of patches (B, 3, H, W) beside pristine references (B, 3, h, w), both in [0, 1]."""
        pictures = self.project(patches)
        return self.score(pictures, self.differences(pictures, self.project(references)))

    def project(self, patches: Tensor) -> list[Tensor]:
        """Maps (B, width, cells, cells) of the four stages, shallow to deep, of patches (B, 3, H, W) in [0, 1]."""
        stages = zip(self.projections, self.backbone(patches), strict=True)
        return [projection(F.adaptive_avg_pool2d(stage, self.cells)) for projection, stage in stages]

    def differences(self, pictures: Sequence[Tensor], pristine: Sequence[Tensor]) -> list[Tensor]:
        """HQ - LQ (B, width, cells, cells) of the four stages, of the maps that `project` gave of both."""
        return [high - low for high, low in zip(pristine, pictures, strict=True)]

    def score(self, pictures: Sequence[Tensor], differences: Sequence[Tensor]) -> Tensor:
        """Scores (B,) of pictures of which `project` and `differences` gave these maps."""
        mixers = ((self.picture_mixer, pictures), (self.difference_mixer, differences))
        means = [mixer(torch.cat(maps, 1).flatten(2).mT).mean(1) for mixer, maps in mixers]
        return self.head(torch.cat(means, 1)).squeeze(1)


class NARTraining(nn.Module):
    """A teacher with a pool of pristine patches: what is trained. Its state dict is the teacher's, each name below `teacher`.

    Args:
        teacher: Trained in place.
        pool: References of training and validation.

    Attributes:
        teacher: The teacher.
    """

    def __init__(self, teacher: NARTeacher, pool: ReferencePool):
        super().__init__()
        self.teacher, self.pool = teacher, pool
        self._ddp_params_and_buffers_to_ignore = [
            "pool.patches"
        ]  # every process has them: none is to send them each step
        self.quality_loss = QualityLoss()

    @property
    def backbone(self) -> nn.Module:
        """The teacher's."""
        return self.teacher.backbone

    def forward(self, patches: Tensor) -> Tensor:
        """Scores (B,) of patches (B, 3, H, W) in [0, 1]: means over a few references of the pool, always the same."""
        pictures = self.teacher.project(patches)
        pristine = self.teacher.project(self.pool.pixels(self.pool.spread(FIXED_REFERENCES)))
        scores = [
            self.teacher.score(pictures, self.teacher.differences(pictures, reference))
            for reference in zip(*pristine, strict=True)
        ]
        return torch.stack(scores).mean(0)

    def losses(self, patches: Tensor, quality: Tensor) -> dict[str, Tensor]:
        """The L1 loss () of patches (B, 3, H, W) in [0, 1] of quality (B,), by its name; each patch is held against a drawn reference."""
        references = self.pool.pixels(self.pool.draw(len(patches)))
        return {"quality": self.quality_loss(self.teacher(patches, references), quality)}


def _mixer(channels: int, tokens: int, width: int, depth: int) -> nn.Sequential:
    """Tokens (B, tokens, channels) to (B, tokens, width)."""
    # timm takes both expansions relative to the width and rounds down
    ratios = ((EXPANSION * tokens + 0.5) / width, EXPANSION)
    blocks = [MixerBlock(width, tokens, ratios) for _ in range(depth)]
    return nn.Sequential(nn.Linear(channels, width), *blocks, nn.LayerNorm(width))
