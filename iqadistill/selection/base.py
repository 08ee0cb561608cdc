"""What every selector shares: fit one image or many, rank its patches, keep the first of them."""

import copy
from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any, Self

import numpy as np

from iqadistill.errors import InputError


def keep_count(n: int, keep: float) -> int:
    """How many of `n` patches a keep rate retains: max(1, round(keep * n)), halves rounded to even.

    Raises:
        InputError: The keep rate is outside (0, 1].
    """
    if not 0 < keep <= 1:
        raise InputError(f"keep rate {keep} is outside (0, 1]; give the fraction of patches to keep, e.g. 0.4.")
    return max(1, round(keep * n))


def ranked(order: np.ndarray) -> dict[str, np.ndarray]:
    """Fitted attributes of a selector without residuals."""
    return {"ranking_": order, "residuals_": np.full(len(order), np.nan)}


class Selector(ABC):
    """Ranks the patches of one image by their embeddings.

    Attributes:
        ranking_: Patch indices (n,), the one to keep first in front.
        residuals_: Irrelevance of each patch (n,); NaN for selectors that have none.
    """

    ranking_: np.ndarray
    residuals_: np.ndarray
    random_state: int = 0

    def fit(self, X: np.ndarray) -> Self:
        """Rank the patches of one image from their embeddings `X` (n, d).

        Raises:
            InputError: The embeddings are empty, not finite, or too few for this selector.
        """
        X = self.check(X, "embeddings")
        (fitted,) = self._fit([X], [self.random_state])
        vars(self).update(fitted)
        return self

    def fit_many(self, embeddings: Sequence[np.ndarray], random_states: Sequence[int] | None = None) -> list[Self]:
        """Fit many images at once.

        Args:
            embeddings: One matrix (n, d) an image; n may differ between images.
            random_states: A seed an image; without it every image uses the selector's own.

        Returns:
            One fitted selector an image, in order, each as `fit` would leave it.

        Raises:
            InputError: As `fit`, naming the position of the image.
        """
        matrices = [self.check(X, f"embeddings of image {i}") for i, X in enumerate(embeddings)]
        seeds = [self.random_state] * len(matrices) if random_states is None else list(random_states)
        selectors = [copy.copy(self) for _ in matrices]
        for selector, seed, fitted in zip(selectors, seeds, self._fit(matrices, seeds), strict=True):
            vars(selector).update(fitted, random_state=seed)
        return selectors

    def select(self, keep: float) -> np.ndarray:
        """Sorted indices of the patches that the keep rate retains.

        Raises:
            InputError: The keep rate is outside (0, 1].
        """
        return np.sort(self.ranking_[: keep_count(len(self.ranking_), keep)])

    def check(self, X: np.ndarray, name: str) -> np.ndarray:
        """The embeddings as a finite float64 matrix (n, d), or an InputError that calls them `name`."""
        X = np.asarray(X, dtype=np.float64)
        if X.ndim != 2 or 0 in X.shape:
            raise InputError(f"{name}: has shape {X.shape}, expected (patches, features) with at least one of each.")
        if not np.isfinite(X).all():
            raise InputError(f"{name}: holds NaN or infinite values; embed these patches again or leave the image out.")
        return X

    @abstractmethod
    def _fit(self, matrices: list[np.ndarray], seeds: list[int]) -> list[dict[str, Any]]:
        """Fitted attributes of each image, ranking_ and residuals_ among them."""
