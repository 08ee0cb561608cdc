"""The settings of teachers."""

from typing import Any, Literal

from pydantic import Field, model_validator

from iqadistill.config.settings import Fraction
from iqadistill.config.students import RecipeSettings


class TeacherSettings(RecipeSettings):
    """A network that is trained before the students and teaches them."""

    size: int | None = Field(None, ge=16, description="patches are resized to this side; default: the sampler's size")
    pretrained: bool | str = Field(
        True, description="as of a student's backbone; of a RedNet, a file of published weights, or false"
    )

    def network(self) -> dict[str, Any]:
        """Settings of the network itself."""
        elsewhere = {"size", "model", "pretrain_on", "pristine", "pristine_patches", "sampler"}
        return self.model_dump(exclude=elsewhere | set(RecipeSettings.model_fields), mode="json")


class RegressorSettings(TeacherSettings):
    """The CNN or the INN teacher of RKIQT, trained on the training images that its students see."""

    model: Literal["regressor"] = Field("regressor", description="regressor: a backbone and a linear layer")
    backbone: str = Field("efficientnet_b0", description="any timm network with four stages, or rednet26, 38, 50, 101")
    dropout: Fraction = Field(0.0, description="dropout before the linear layer")

    @model_validator(mode="after")
    def _rednet_weights_are_a_file(self) -> "RegressorSettings":
        if self.backbone.startswith("rednet") and self.pretrained in (True, "packaged"):
            raise ValueError(
                "a RedNet has no weights to download; give the file of published ones as pretrained, or false"
            )
        return self


class NarTeacherSettings(TeacherSettings):
    """The teacher of RKIQT that compares a picture with pristine ones of other content."""

    model: Literal["nar_teacher"] = Field("nar_teacher", description="nar_teacher: non-aligned reference")
    backbone: str = Field("resnet50", description="any timm network with four stages")
    freeze_backbone: bool = Field(True, description="whether the backbone keeps its weights")
    width: int = Field(64, ge=1, description="channels that each stage is brought to")
    cells: int = Field(7, ge=1, description="cells a side that each stage is averaged to")
    mixer_width: int = Field(256, ge=1, description="width of both mixers")
    difference_depth: int = Field(18, ge=1, description="mixer layers on the differences to the reference")
    picture_depth: int = Field(9, ge=1, description="mixer layers on the picture")
    pretrain_on: str = Field(
        "kadid10k",
        description="dataset entry whose scored images it learns from, all of them, or target: the students' own training images",
    )
    pristine: str = Field(
        "div2k",
        description="dataset entry whose references are the pristine pictures, or target: those of the training images",
    )
    pristine_patches: int = Field(512, ge=1, description="patches of them that are compared with")
    sampler: str | None = Field(
        None, description="sampler entry for the pristine pictures and for pretrain_on; default: the students' own"
    )


TeacherEntry = RegressorSettings | NarTeacherSettings
TEACHER_MODELS = ("regressor", "nar_teacher")
TARGET = "target"
