"""Random selection: a uniform random order."""

from typing import Any, ClassVar, Literal

import numpy as np
from pydantic import Field

from iqadistill.selection.base import Selector, unscored
from iqadistill.selection.settings import SelectorSettings


class RandomSettings(SelectorSettings):
    """A uniform random order of an image's patches."""

    label: ClassVar[str] = "random"
    colour: ClassVar[str] = "#8a8a8a"
    marker: ClassVar[str] = "."
    order: ClassVar[int] = 6

    method: Literal["random"] = Field("random", description="Name of the selector; default: the entry's name.")

    def create(self) -> "RandomSelector":
        """The selector."""
        return RandomSelector()


class RandomSelector(Selector):
    """A uniform random order, the same for the same seed and number of patches.

    Args:
        random_state: Seed of the order.
    """

    def __init__(self, random_state: int = 0):
        self.random_state = random_state

    def _fit(self, matrices: list[np.ndarray], seeds: list[int]) -> list[dict[str, Any]]:
        return [
            unscored(np.random.default_rng(seed).permutation(len(X))) for X, seed in zip(matrices, seeds, strict=True)
        ]
