"""Random choice: the control that every other chooser is compared with."""

from typing import ClassVar, Literal

import numpy as np
from pydantic import Field

from iqadistill.choosing.settings import ChooserSettings


class RandomSettings(ChooserSettings):
    """Images in random order."""

    label: ClassVar[str] = "random"
    colour: ClassVar[str] = "#777777"
    marker: ClassVar[str] = "x"
    order: ClassVar[int] = 2
    image_bytes: ClassVar[int] = 200
    pick_seconds: ClassVar[float] = 0.0

    method: Literal["random"] = Field("random", description="Name of the chooser.")

    def choose(self, features: np.ndarray, count: int, rated: np.ndarray, seed: int) -> np.ndarray:
        """The first images of a random order."""
        unrated = np.setdiff1d(np.arange(len(features)), rated)
        return np.random.default_rng(seed).permutation(unrated)[:count]
