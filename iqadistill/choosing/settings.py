"""Base settings of choosers."""

from abc import abstractmethod
from typing import ClassVar

import numpy as np
from pydantic import Field

from iqadistill.settings import Settings


class ChooserSettings(Settings):
    """Settings of one chooser: which images are chosen to be rated.

    A new chooser is one file in `iqadistill/choosing/choosers/`: a subclass whose `method` is the name of the file.

    Attributes:
        label: Name in figures.
        colour: Colour in figures, as "#rrggbb".
        marker: Marker in figures, one of matplotlib's.
        order: Position in legends; the lowest comes first.
        image_bytes: Memory that it takes for each of many images, their features included.
        pick_seconds: Time that choosing one more image takes for each of many images, on one core.
    """

    label: ClassVar[str]
    colour: ClassVar[str]
    marker: ClassVar[str]
    order: ClassVar[int]
    image_bytes: ClassVar[int]
    pick_seconds: ClassVar[float]

    method: str = Field(description="Name of the chooser.")

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
