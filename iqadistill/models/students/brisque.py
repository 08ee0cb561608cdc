"""BRISQUE as a student: natural scene statistics of an image and a support vector regression."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, ClassVar, Literal

from pydantic import Field

from iqadistill.models.settings import ImageStudentSettings

if TYPE_CHECKING:
    import numpy as np


class BrisqueSettings(ImageStudentSettings):
    """36 natural scene statistics of a flat image and a support vector regression (Mittal et al., 2012)."""

    label: ClassVar[str] = "BRISQUE"

    model: Literal["brisque"] = Field("brisque", description="brisque: trained on the training images of each split.")
    c: float = Field(
        1024, gt=0, description="Weight of the regression's errors, for scores from 0 to 100; default: as released."
    )
    gamma: float = Field(0.05, gt=0, description="Inverse squared width of the kernel; default: as released.")
    epsilon: float = Field(
        0.1, ge=0, description="Error of a score from 0 to 100 that costs nothing; default: as released."
    )

    def predict(
        self, paths: Sequence[str], quality: np.ndarray, training: np.ndarray, pristine: Sequence[str], workers: int
    ) -> np.ndarray:
        """Predictions (S, n) of every image by the regression of every split; it needs no pristine images."""
        import numpy as np

        from iqadistill.scene_statistics.brisque import predict_by_regression, read_brisque_features

        features = read_brisque_features(paths, workers)
        settings = {"c": self.c, "gamma": self.gamma, "epsilon": self.epsilon}
        return np.stack([predict_by_regression(features, quality, of_split, **settings) for of_split in training])
