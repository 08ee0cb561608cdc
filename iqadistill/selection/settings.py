"""Settings that all selectors share, and those of residual selection."""

from __future__ import annotations

from abc import abstractmethod
from typing import TYPE_CHECKING, ClassVar, Literal

from pydantic import Field

from iqadistill.settings import Settings

if TYPE_CHECKING:
    from iqadistill.selection.base import Selector


class SelectorSettings(Settings):
    """Settings of one selector: how the patches of an image are ranked.

    A new selector is one file in `iqadistill/selection/selectors/`: a subclass whose `method` is the name of the file.

    Attributes:
        label: Name in figures.
        colour: Colour in figures.
        marker: Marker in figures, of matplotlib.
        order: Position in legends.
    """

    label: ClassVar[str]
    colour: ClassVar[str]
    marker: ClassVar[str]
    order: ClassVar[int] = 50

    method: str = Field(description="Name of the selector; default: the entry's name.")

    @property
    def least_patches(self) -> int:
        """Smallest number of patches that an image must have."""
        return 1

    @abstractmethod
    def create(self, device: str = "cpu") -> Selector:
        """The selector.

        Args:
            device: Torch device, for selectors that compute on one.
        """


class ResidualOptions(Settings):
    """Settings of residual selection (arXiv 2412.12667), whatever its ranking is used for."""

    n_components: int = Field(10, ge=1, description="h, the number of columns of the target Z.")
    alpha: float = Field(0.1, gt=0, description="Weight of the row sparsity of W.")
    beta: float = Field(0.1, gt=0, description="Weight of the residual sparsity of R.")
    metric: Literal["euclidean", "manhattan", "mahalanobis"] = Field(
        "euclidean", description="Distance behind the similarity S."
    )
    gamma: Literal["published", "scale_free"] = Field(
        "published", description="Kernel width: published, 1 / (2 mean D), or scale_free, 1 / (2 mean D^2)."
    )
    similarity: Literal["rbf", "negative_distance"] = Field(
        "rbf", description="rbf: S = exp(-gamma D^2); negative_distance: S = max D - D."
    )
    solver: Literal["irls", "published"] = Field(
        "irls", description="irls (certified by a duality gap), or published (the paper's alternating updates)."
    )
    max_iter: int | None = Field(None, ge=1, description="Most iterations; default: 1000 (irls), 50 (published).")
    tol: float | None = Field(
        None,
        ge=0,
        description="Tolerance; default: relative duality gap 1e-3 (irls), relative change 1e-6 (published).",
    )

    @property
    def least_patches(self) -> int:
        """h: an image needs as many patches."""
        return self.n_components
