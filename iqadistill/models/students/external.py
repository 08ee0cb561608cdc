"""Predictions of any other tool as a student."""

from __future__ import annotations

from typing import ClassVar, Literal

from pydantic import Field

from iqadistill.models.settings import LearnsFrom, StudentSettings
from iqadistill.paths import UserPath


class ExternalSettings(StudentSettings):
    """Predictions that another tool wrote to a CSV with the columns image, prediction and, where it has them, split."""

    learns_from: ClassVar[LearnsFrom] = "predictions"
    label: ClassVar[str] = "external"

    model: Literal["external"] = Field(
        "external",
        description="external: predictions from a file, measured and compared like those of students.",
    )
    files: dict[str, UserPath] = Field(
        min_length=1,
        description="CSV of each dataset entry: image, prediction and split, the number of the split (see"
        " results/split_dataset) on whose training images alone the tool was trained. Without the column split the tool"
        " may have seen the images, and is shown apart and in no paired test. PLCC and RMSE need predictions for the"
        " training images too.",
    )
    higher_better: bool = Field(True, description="Whether a higher prediction is a better image; false turns them.")
