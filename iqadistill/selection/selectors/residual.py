"""Residual selection: the patches that a sparse linear map of the embeddings explains best come first."""

from typing import TYPE_CHECKING, ClassVar, Literal

from pydantic import Field

from iqadistill.selection.settings import Gamma, Metric, SelectorSettings, Similarity

if TYPE_CHECKING:
    from iqadistill.selection.residual import ResidualSelector


class ResidualOptions(SelectorSettings):
    """Settings of the residuals, whichever patches come first."""

    n_components: int = Field(
        10, ge=1, description="Number h of columns of the target Z; at most the patches of an image."
    )
    alpha: float = Field(0.1, gt=0, description="Weight of the row sparsity of W.")
    beta: float = Field(0.1, gt=0, description="Weight of the residual sparsity of R.")
    metric: Metric = Field("euclidean", description="Distance in the similarity S.")
    gamma: Gamma = Field("published", description="Kernel width: 1 / (2 mean D) or, scale_free, 1 / (2 mean D^2).")
    similarity: Similarity = Field("rbf", description="S = exp(-gamma D^2), or S = max D - D (negative_distance).")
    solver: Literal["irls", "published"] = Field(
        "irls", description="irls: certified by a duality gap; published: the paper's alternating updates."
    )
    max_iter: int | None = Field(
        None, ge=1, description="Largest number of iterations; default: 1000 (irls), 50 (published)."
    )
    tol: float | None = Field(
        None,
        ge=0,
        description="Tolerance; default: relative duality gap 1e-3 (irls), relative change of the objective 1e-6 "
        "(published).",
    )

    @property
    def least_patches(self) -> int:
        """Smallest number of patches of an image that can be ranked: `n_components`."""
        return self.n_components


class ResidualSettings(ResidualOptions):
    """Residual selection (arXiv 2412.12667)."""

    label: ClassVar[str] = "residual"
    colour: ClassVar[str] = "#d55e00"
    marker: ClassVar[str] = "o"
    order: ClassVar[int] = 0

    method: Literal["residual"] = Field("residual", description="Name of the selector; default: the entry's name.")

    def create(self) -> "ResidualSelector":
        """The selector with these settings."""
        from iqadistill.selection.residual import ResidualSelector

        return ResidualSelector(**self.model_dump(exclude={"method"}))
