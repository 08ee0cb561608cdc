"""Residual: images whose similarities their embeddings explain best."""

from typing import ClassVar, Literal

import numpy as np
from pydantic import Field

from iqadistill.choosing.settings import ChooserSettings
from iqadistill.embedding_blocks import EmbeddingBlocks, HeldEmbeddings


class ResidualSettings(ChooserSettings):
    """Residual selection (arXiv 2412.12667) over all images together, as if they were the patches of one.

    It ranks whole embeddings, contents left in, with the scale-free gamma. Images are ranked each for itself: what is
    rated is left out, and covers nothing.
    """

    label: ClassVar[str] = "residual"
    colour: ClassVar[str] = "#cc79a7"
    marker: ClassVar[str] = "v"
    order: ClassVar[int] = 3
    image_bytes: ClassVar[int] = 800
    pair_bytes: ClassVar[int] = 60
    pick_seconds: ClassVar[float] = 0.0

    method: Literal["residual"] = Field("residual", description="Name of the chooser.")

    def choose_from(
        self, embeddings: EmbeddingBlocks, contents: np.ndarray | None, count: int, rated: np.ndarray, seed: int
    ) -> np.ndarray:
        """Smallest residuals of whole embeddings first."""
        from iqadistill.selection.joint import select_jointly
        from iqadistill.selection.selectors.residual import ResidualSettings as Options

        components = min(Options().n_components, embeddings.shape[0])
        selection = select_jointly(embeddings, Options(gamma="scale_free", n_components=components), seed=seed)
        return selection.ranking[~np.isin(selection.ranking, rated)][:count]

    def choose(self, features: np.ndarray, count: int, rated: np.ndarray, seed: int) -> np.ndarray:
        """Smallest residuals of features first."""
        return self.choose_from(HeldEmbeddings(features), None, count, rated, seed)
