"""Distillation of the RKIQT student: the student, its frozen teachers and the losses between them."""

from collections.abc import Callable, Mapping
from typing import cast

import torch
from torch import Tensor, nn

from iqadistill.errors import InputError
from iqadistill.losses.inductive_bias import ReverseDistillationLoss
from iqadistill.losses.masked_distillation import MaskedDistillationLoss
from iqadistill.losses.quality import QualityLoss
from iqadistill.models.rkiqt.frozen_teachers import FrozenTeachers
from iqadistill.models.rkiqt.nar_teacher import NARTeacher
from iqadistill.models.rkiqt.reference_pool import ReferencePool
from iqadistill.models.rkiqt.regressor import Regressor
from iqadistill.models.rkiqt.student import RKIQT
from iqadistill.models.students.rkiqt import RkiqtSettings


class RKIQTDistillation(nn.Module):
    """Training of the student of arXiv 2312.00591. For a batch, `losses` returns the weighted parts

        quality   |Y_S - y|, Y_S the mean of the tokens' scores
        mcd       masked distillation of the NAR-teacher's normalised differences to pristine patches of the pool
        conv      reverse distillation between the CNN teacher and the Conv token
        inv       the same between the INN teacher and the Inv token

    with weights 1, `mcd_weight` and twice `inductive_weight`; the paper's weights are not known. Without any teacher
    the student alone is trained. A patch that comes again, flipped the same way, is not passed through the teachers
    again as long as `teacher_memory_gb` and `teacher_disk_gb` hold their outputs. The teachers are frozen and in eval
    mode; they follow the student from device to device, but are neither among the parameters nor in the state dict. Its
    forward pass is the student's: scores need nothing else.

    Args:
        student: Student, trained in place.
        settings: Settings of the distillation.
        teachers: Trained teachers by role: a `NARTeacher` as "nar", a `Regressor` as "conv" and as "inv", each if
            given.
        pool: Pristine patches for the NAR-teacher.

    Attributes:
        student: The student, which alone is scored with and saved.

    Raises:
        InputError: The NAR-teacher has no pool, or a teacher has no token.
    """

    def __init__(
        self,
        student: RKIQT,
        settings: RkiqtSettings,
        teachers: Mapping[str, nn.Module],
        pool: ReferencePool | None = None,
    ):
        super().__init__()
        nar = cast(NARTeacher | None, teachers.get("nar"))
        regressors = {token: cast(Regressor, teachers[token]) for token in ("conv", "inv") if token in teachers}
        if nar and not pool:
            raise InputError("rkiqt: the NAR-teacher has no pool of pristine patches; give pool.")
        for token in regressors:
            if token not in student.tokens:
                raise InputError(
                    f"rkiqt: a teacher for the token {token}, but the student has {list(student.tokens)}; add it."
                )
        self.mcd_weight, self.inductive_weight = settings.mcd_weight, settings.inductive_weight
        self.student = student
        self.quality_loss = QualityLoss()
        self.mcd_loss = None
        if nar:
            channels = [nar.width] * len(nar.projections)
            self.mcd_loss = MaskedDistillationLoss(
                student.width, channels, nar.cells, settings.mask_ratio, settings.masking, settings.generator
            )
        self.inductive_losses = nn.ModuleDict(
            {
                token: ReverseDistillationLoss(teacher.channels, settings.intermediate_width)
                for token, teacher in regressors.items()
            }
            if settings.reverse
            else {}
        )
        self._teachers = FrozenTeachers(
            nar, pool if nar else None, regressors, settings.teacher_memory_gb, settings.teacher_disk_gb
        )
        # what is cached cannot be compiled
        self._teach = torch.compiler.disable(self._teachers.teach) if settings.compile else self._teachers.teach

    @property
    def backbone(self) -> nn.Module:
        """The student's backbone."""
        return self.student.backbone

    def forward(self, patches: Tensor) -> Tensor:
        """The student's scores (B,) of patches (B, 3, size, size) in [0, 1]."""
        return self.student(patches)

    def losses(self, patches: Tensor, quality: Tensor) -> dict[str, Tensor]:
        """Weighted parts () of the loss by name; their sum is minimised.

        Args:
            patches: Patches (B, 3, size, size) in [0, 1].
            quality: Quality (B,) in [0, 1].
        """
        scores, maps = self.student.tokens_and_maps(patches)
        parts = {"quality": self.quality_loss(scores.mean(1), quality)}
        differences, outputs = self._teach(patches)
        if self.mcd_loss:
            parts["mcd"] = self.mcd_weight * self.mcd_loss(maps, differences)
        for token, (teacher_scores, features) in outputs.items():
            token_scores = scores[:, self.student.tokens.index(token)]
            if token in self.inductive_losses:
                part = self.inductive_losses[token](token_scores, teacher_scores, features)
            else:
                part = self.quality_loss(token_scores, teacher_scores)
            parts[token] = self.inductive_weight * part
        return parts

    def _apply(self, fn: Callable[[Tensor], Tensor], recurse: bool = True) -> "RKIQTDistillation":
        self._teachers.apply(fn)
        return super()._apply(fn, recurse)
