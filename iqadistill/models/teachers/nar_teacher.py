"""Non-aligned-reference teacher of RKIQT: compares patches with pristine ones of other content (arXiv 2312.00591)."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Literal, cast

from pydantic import Field

from iqadistill.errors import InputError
from iqadistill.models.settings import TeacherSettings

if TYPE_CHECKING:
    from torch import nn

    from iqadistill.models.rkiqt.nar_teacher import NARTeacher, NARTraining
    from iqadistill.models.rkiqt.reference_pool import ReferencePool


class NarTeacherSettings(TeacherSettings):
    """Teacher of RKIQT that compares an image with pristine ones of other content."""

    label: ClassVar[str] = "NAR teacher"
    uses_references: ClassVar[bool] = True

    model: Literal["nar_teacher"] = Field("nar_teacher", description="nar_teacher: non-aligned reference.")
    backbone: str = Field("resnet50.tv_in1k", description="Backbone: any timm network with four stages.")
    freeze_backbone: bool = Field(True, description="Keep the backbone's weights and statistics as they are.")
    width: int = Field(64, ge=1, description="Channels to which each stage is projected.")
    cells: int = Field(7, ge=1, description="Cells a side to which each stage is averaged.")
    mixer_width: int = Field(256, ge=1, description="Width of both mixers.")
    difference_depth: int = Field(18, ge=1, description="Mixer layers on the differences to the reference.")
    image_depth: int = Field(9, ge=1, description="Mixer layers on the image.")
    pretrain_on: str = Field(
        "kadid10k",
        description="Dataset entry of which all scored images are trained on, or target: the training images of the"
        " students.",
    )
    pristine: str = Field(
        "div2k",
        description="Dataset entry whose references are the pristine images, or target: the references of the training"
        " images.",
    )
    pristine_patches: int = Field(512, ge=1, description="Number of pristine patches to compare with.")
    sampler: str | None = Field(
        None, description="Sampler entry for pristine and for pretrain_on; default: the students' own."
    )

    def create_network(self, size: int) -> NARTeacher:
        """The network before its training, for patches of `size` pixels a side."""
        from iqadistill.models.rkiqt.nar_teacher import NARTeacher

        return NARTeacher(self, size)

    def trains_on(self) -> str:
        """Dataset entry that the teacher is trained on, or `TARGET` for the students' own training images."""
        return self.pretrain_on

    def pristine_dataset(self) -> str:
        """Dataset entry of the pristine images, or `TARGET`."""
        return self.pristine

    def reference_patches(self) -> int:
        """Number of pristine patches in the reference pool."""
        return self.pristine_patches

    def sampler_entry(self) -> str | None:
        """Sampler entry of the pristine images and of `pretrain_on`; None for the students' own sampler."""
        return self.sampler

    def training_module(self, network: nn.Module, pool: ReferencePool | None) -> NARTraining:
        """The teacher together with its references.

        Args:
            network: The teacher, trained in place.
            pool: Pristine patches.

        Raises:
            InputError: There is no pool.
        """
        from iqadistill.models.rkiqt.nar_teacher import NARTraining

        if pool is None:
            raise InputError("nar_teacher: has no pool of pristine patches; give pool.")
        return NARTraining(cast("NARTeacher", network), pool)
