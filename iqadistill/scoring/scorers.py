"""Scores of the patches of one image: by trained networks, or by an encoder and MLPs."""

import math
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import pyarrow as pa
import torch
from torch import Tensor, nn

from iqadistill.encoders.encoder import Encoder
from iqadistill.patches.reading import read_patches
from iqadistill.patches.store import PatchStore
from iqadistill.training.deep.prediction import score_store
from iqadistill.training.mlp.stacked_mlps import StackedMlps

_BATCH = 16  # patches per forward pass, few enough for their feature maps to fit into a CPU's caches


class PatchScorer(Protocol):
    """Models of several splits; reading and scoring are separate so that the next image is read while one is scored."""

    def read(self, images: pa.Table, patches: pa.Table) -> Any:
        """The pixels of one image's patches.

        Raises:
            InputError: The image cannot be read.
        """

    def scores(self, pixels: Any) -> np.ndarray:
        """Scores (models, n) of the pixels that `read` returned; a score that is not finite may be returned or raise.

        Raises:
            InputError: A score is not finite.
        """


@dataclass(frozen=True)
class NetworkScorer:
    """Deep students, one per split."""

    networks: list[nn.Module]
    size: int | None
    precision: str
    device: str

    def read(self, images: pa.Table, patches: pa.Table) -> PatchStore:
        """Patches as bytes, as the networks saw them in training."""
        names = patches["image_id"].unique().to_pylist()
        store = PatchStore(images, patches, names, size=self.size, workers=1, memory_gb=math.inf)
        store.fetch(np.arange(len(patches)))
        return store

    def scores(self, pixels: PatchStore) -> np.ndarray:
        """Scores (models, n)."""
        device, precision = self.device, self.precision
        return np.stack(
            [score_store(one, pixels, device=device, precision=precision, batch_size=_BATCH) for one in self.networks]
        )


@dataclass(frozen=True)
class MlpScorer:
    """An encoder, and MLPs on its embeddings."""

    encoder: Encoder
    stack: StackedMlps

    def read(self, images: pa.Table, patches: pa.Table) -> Tensor:
        """Patches (n, 3, side, side) in [0, 1]."""
        return next(read_patches(images, patches, size=self.encoder.size, workers=1))

    @torch.inference_mode()
    def scores(self, pixels: Tensor) -> np.ndarray:
        """Scores (models, n)."""
        embeddings = torch.cat([self.encoder.embed(batch) for batch in pixels.split(_BATCH)])
        return self.stack.scores(embeddings).double().cpu().numpy()
