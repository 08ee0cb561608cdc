"""Base settings of choosers."""

from abc import abstractmethod
from typing import ClassVar

import numpy as np
from pydantic import Field

from iqadistill.choosing.features import image_features
from iqadistill.embedding_blocks import EmbeddingBlocks
from iqadistill.selection.landmarks import EXACT
from iqadistill.settings import Settings


class ChooserSettings(Settings):
    """Settings of one chooser: which images are chosen to be rated.

    A new chooser is one file in `iqadistill/choosing/choosers/`: a subclass whose `method` is the name of the file.

    Attributes:
        label: Name in figures.
        colour: Colour in figures, as "#rrggbb".
        marker: Marker in figures, one of matplotlib's.
        order: Position in legends; the lowest comes first.
        image_bytes: Memory that it takes for each of many images, their features included, their embeddings not.
        pair_bytes: Memory that it takes for each pair of up to 5,000 images; 0 if it compares no pairs.
        pick_seconds: Time that choosing one more image takes for each of many images, on one core.
    """

    label: ClassVar[str]
    colour: ClassVar[str]
    marker: ClassVar[str]
    order: ClassVar[int]
    image_bytes: ClassVar[int]
    pair_bytes: ClassVar[int] = 0
    pick_seconds: ClassVar[float]

    method: str = Field(description="Name of the chooser.")

    @classmethod
    def memory(cls, n: int) -> int:
        """Bytes that a choice among n images takes beside their embeddings."""
        return n * cls.image_bytes + (n**2 * cls.pair_bytes if n <= EXACT else 0)

    def choose_from(
        self, embeddings: EmbeddingBlocks, contents: np.ndarray | None, count: int, rated: np.ndarray, seed: int
    ) -> np.ndarray:
        """Choose images by their features, as `choose` does; a chooser that needs whole embeddings overrides it.

        Args:
            embeddings: Embeddings (n, d) of all images.
            contents: Number (n,) of each image's content, negative where it is unknown.
            count: As for `choose`, like the next two.
            rated: Indices.
            seed: Seed.

        Returns:
            Indices (count,), the image to have rated first at index 0.

        Raises:
            InputError: An embedding is not finite.
        """
        return self.choose(image_features(embeddings, contents), count, rated, seed)

    @abstractmethod
    def choose(self, features: np.ndarray, count: int, rated: np.ndarray, seed: int) -> np.ndarray:
        """Choose images one after another.

        Args:
            features: Features (n, p) of all images, see `iqadistill.choosing.features.image_features`.
            count: Number of images to choose, at most the number of images that are not rated.
            rated: Indices of the images that are rated already: never chosen, and covered from the start.
            seed: Seed of what is drawn.

        Returns:
            Indices (count,), the image to have rated first at index 0.
        """
