"""Base settings of encoders."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from pydantic import Field

from iqadistill.settings import Settings

if TYPE_CHECKING:
    import torch

    from iqadistill.encoders.encoder import Encoder


class EncoderSettings(Settings):
    """Base of the settings of every frozen network that turns patches into embeddings."""

    backend: str = Field(description="Library that the network comes from.")
    size: int | None = Field(
        None, ge=16, description="Side in pixels to which patches are resized; default: as sampled."
    )
    dtype: Literal["float32", "float16"] = Field("float32", description="Type of the stored embeddings.")

    def files(self) -> tuple[str, ...]:
        """Paths of the files of weights."""
        return ()

    def create(self, device: str | torch.device = "cpu") -> Encoder:
        """The encoder.

        Args:
            device: Device on which the network runs.

        Raises:
            InputError: The network or its weights do not exist, or a setting does not fit the network.
        """
        raise NotImplementedError
