"""NIQE as a student: the distance of an image's statistics from those of pristine photographs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, ClassVar, Literal

from pydantic import Field

from iqadistill.models.settings import ImageStudentSettings
from iqadistill.settings import Fraction

if TYPE_CHECKING:
    import numpy as np


class NiqeSettings(ImageStudentSettings):
    """Distance of a flat image's natural scene statistics from those of pristine photographs (Mittal et al., 2013)."""

    label: ClassVar[str] = "NIQE"

    model: Literal["niqe"] = Field(
        "niqe", description="niqe: learns from no opinions, so it is the same in every split."
    )
    pristine: str = Field(
        description="Dataset entry of the pristine photographs, its references, such as div2k; other images than those"
        " that are tested."
    )
    patch: int = Field(
        96,
        ge=16,
        multiple_of=2,
        description="Side of a patch in pixels, an even number; an image needs two whole ones at least.",
    )
    sharp: Fraction = Field(
        0.75,
        description="Pristine patches count if their sharpness exceeds this share of the sharpest in their photograph.",
    )

    def pristine_dataset(self) -> str:
        """Dataset entry of the pristine photographs."""
        return self.pristine

    def predict(
        self, paths: Sequence[str], quality: np.ndarray, training: np.ndarray, pristine: Sequence[str], workers: int
    ) -> np.ndarray:
        """Predictions (S, n): distances with the opposite sign, the same in every split."""
        import numpy as np

        from iqadistill.scene_statistics.niqe import fit_pristine, niqe_distances

        statistics = fit_pristine(pristine, self.patch, self.sharp, workers)
        return np.tile(-niqe_distances(paths, statistics, self.patch, workers), (len(training), 1))
