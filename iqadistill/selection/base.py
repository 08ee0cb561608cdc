"""Base class of selectors: fit one image or many, rank the patches, keep the first of them."""

import copy
from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Self

import numpy as np

from iqadistill.errors import InputError

if TYPE_CHECKING:
    import pyarrow as pa


def keep_count(n: int, keep: float) -> int:
    """Number of patches that a keep rate retains out of `n`: max(1, round(keep * n)), halves rounded to even.

    Raises:
        InputError: The keep rate is outside (0, 1].
    """
    if not 0 < keep <= 1:
        raise InputError(f"keep rate {keep} is outside (0, 1]; give the fraction of patches to keep, e.g. 0.4.")
    return max(1, round(keep * n))


class Selector(ABC):
    """Ranks the patches of one image by their embeddings.

    Attributes:
        ranking_: Patch indices (n,), the one to keep first at index 0.
        residuals_: Residual of each patch (n,), larger for less relevant ones; NaN for selectors without residuals.
        objective_: Objective after each iteration; only of selectors that iterate, as the next two.
        gaps_: Relative duality gap after each iteration; empty where it is known after the last one only.
        duality_gap_: Relative duality gap at the end.
    """

    ranking_: np.ndarray
    residuals_: np.ndarray
    objective_: list[float]
    gaps_: list[float]
    duality_gap_: float
    random_state: int = 0
    dtype: str = "float64"  # in which it computes

    def fit(self, X: np.ndarray) -> Self:
        """Rank the patches of one image from their embeddings `X` (n, d).

        Raises:
            InputError: The embeddings are empty, not finite, huge, or too few for this selector.
        """
        X = self.check(X, "embeddings")
        (fitted,) = self._fit([X], [self.random_state])
        vars(self).update(fitted)
        return self

    def fit_many(self, embeddings: Sequence[np.ndarray], random_states: Sequence[int] | None = None) -> list[Self]:
        """Fit many images at once.

        Args:
            embeddings: One matrix (n, d) per image; n may differ between images.
            random_states: One seed per image; default: the selector's `random_state` for every image.

        Returns:
            One fitted selector per image, in order, each as `fit` would leave it.

        Raises:
            InputError: As `fit`; the message names the position of the image.
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
        """Validate the embeddings of one image.

        Args:
            X: Embeddings (n, d).
            name: Name of the embeddings in messages.

        Returns:
            Finite float64 matrix (n, d).

        Raises:
            InputError: The embeddings are empty, not finite, huge, or too few for this selector.
        """
        from iqadistill.table_schemas import LARGEST_EMBEDDING

        X = np.asarray(X, dtype=np.float64)
        if X.ndim != 2 or 0 in X.shape:
            raise InputError(f"{name}: has shape {X.shape}, expected (patches, features) with at least one of each.")
        largest = LARGEST_EMBEDDING[self.dtype]
        if not max(X.max(), -X.min()) <= largest:  # false for NaN as well
            raise InputError(
                f"{name}: holds NaN, infinite or huge values (beyond {largest:g} in {self.dtype}); embed these patches "
                "again or leave the image out."
            )
        return X

    def vectors(self, embeddings: "pa.Table", patches: "pa.Table | None", images: "pa.Table | None") -> np.ndarray:
        """Vectors (N, d) that patches are ranked by, in the order of the embeddings: the embeddings themselves.

        Args:
            embeddings: Table "embeddings".
            patches: Table "patches"; given to selectors whose settings have `needs_patches`.
            images: Table "images"; likewise.

        Raises:
            InputError: A table that the selector needs is missing, or lacks a patch.
        """
        from iqadistill.tables import embedding_matrix

        return embedding_matrix(embeddings)

    @abstractmethod
    def _fit(self, matrices: list[np.ndarray], seeds: list[int]) -> list[dict[str, Any]]:
        """Fit embeddings (n, d) of each image with its seed.

        Returns:
            Fitted attributes of each image, `ranking_` and `residuals_` among them.
        """


def unscored(order: np.ndarray) -> dict[str, np.ndarray]:
    """Fitted attributes of a selector without residuals that ranks patches in this order (n,)."""
    return {"ranking_": order, "residuals_": np.full(len(order), np.nan)}


def first_occurrence(X: np.ndarray) -> list[int]:
    """For each row the index of the first row that equals it: duplicates share what is computed for that one."""
    for columns in (np.linspace(0, X.shape[1] - 1, 16).astype(int), slice(None)):  # a few numbers tell most rows apart
        seen: dict[bytes, int] = {}
        first = [seen.setdefault(row.tobytes(), i) for i, row in enumerate(X[:, columns] + 0.0)]  # -0.0 becomes 0.0
        if len(seen) == len(X):
            break
    return first
