"""A student and what its teachers make of it."""

from collections.abc import Callable, Sequence

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


class RKIQTDistillation(nn.Module):
    """Training of the student of arXiv 2312.00591. Of a batch, `losses` gives the weighted parts

        quality   |Y_S - y|, Y_S the mean of the tokens' scores
        mcd       masked distillation of the NAR-teacher's differences to pristine patches drawn from the pool
        conv      reverse distillation between the CNN teacher and the Conv token
        inv       the same between the INN teacher and the Inv token

    weighted 1, `mcd_weight` and twice `inductive_weight`; the paper's weights are not known. Without any teacher it is the student alone that
    is trained. The teachers are frozen and in eval mode; they follow the student from device to device, but are neither among the
    parameters nor in the state dict. Called, it is the student: nothing else is needed for scores.

    Args:
        student: Trained in place.
        nar: Trained NAR-teacher; None for none.
        conv: Trained CNN teacher; None for none.
        inv: Trained INN teacher; None for none.
        pool: Pristine patches for the NAR-teacher.
        mcd_weight: Of the part "mcd". A part whose weight is 0 is neither computed nor given.
        inductive_weight: Of the parts "conv" and "inv".
        mask_ratio: Expected share of hidden cells, in [0, 1).
        masking: One of `iqadistill.losses.MASKINGS`, or "none".
        generator: Kernel sizes of the convolutions that generate the teacher's features; none for no generator.
        reverse: Whether "conv" and "inv" have a learnable intermediate head between teacher and token; else they are the distance
            between the two scores, direct distillation.
        intermediate_width: Of these heads.
        memory_gb: Bound on the memory of what the teachers said about patches, in GiB: a patch that comes again, flipped the same way,
            is not shown to them again.

    Attributes:
        student: What is scored with and saved.

    Raises:
        InputError: A setting is out of range, the NAR-teacher has no pool, or a teacher has no token.
    """

    def __init__(
        self,
        student: RKIQT,
        nar: NARTeacher | None = None,
        conv: Regressor | None = None,
        inv: Regressor | None = None,
        pool: ReferencePool | None = None,
        mcd_weight: float = 0.5,
        inductive_weight: float = 0.5,
        mask_ratio: float = 0.5,
        masking: str = "random",
        generator: Sequence[int] = (3, 3),
        reverse: bool = True,
        intermediate_width: int = 256,
        memory_gb: float = 1.0,
    ):
        super().__init__()
        if min(mcd_weight, inductive_weight) < 0:
            raise InputError("rkiqt: mcd_weight and inductive_weight must be at least 0; correct them.")
        nar = nar if mcd_weight else None
        given = {"conv": conv, "inv": inv} if inductive_weight else {}
        regressors = {token: teacher for token, teacher in given.items() if teacher}
        if nar and not pool:
            raise InputError("rkiqt: the NAR-teacher has no pool of pristine patches; give pool.")
        for token in regressors:
            if token not in student.tokens:
                raise InputError(
                    f"rkiqt: a teacher for the token {token}, but the student has {list(student.tokens)}; add it."
                )
        self.mcd_weight, self.inductive_weight = mcd_weight, inductive_weight
        self.student = student
        self.quality_loss = QualityLoss()
        self.mcd_loss = None
        if nar:
            channels = [projection.out_channels for projection in nar.projections]
            self.mcd_loss = MaskedDistillationLoss(student.width, channels, nar.cells, mask_ratio, masking, generator)
        self.inductive_losses = nn.ModuleDict(
            {
                token: ReverseDistillationLoss(teacher.channels, intermediate_width)
                for token, teacher in regressors.items()
            }
            if reverse
            else {}
        )
        self._teachers = FrozenTeachers(nar, pool if nar else None, regressors, memory_gb)

    @property
    def backbone(self) -> nn.Module:
        """The student's."""
        return self.student.backbone

    def forward(self, patches: Tensor) -> Tensor:
        """The student's scores (B,) of patches (B, 3, size, size) in [0, 1]."""
        return self.student(patches)

    def losses(self, patches: Tensor, quality: Tensor) -> dict[str, Tensor]:
        """Weighted parts () of the loss of patches (B, 3, size, size) in [0, 1] of quality (B,); minimise their sum."""
        scores, maps = self.student.tokens_and_maps(patches)
        parts = {"quality": self.quality_loss(scores.mean(1), quality)}
        differences, taught = self._teachers.teach(patches)
        if differences:
            parts["mcd"] = self.mcd_weight * self.mcd_loss(maps, differences)
        for token, (teacher_scores, features) in taught.items():
            own = scores[:, self.student.tokens.index(token)]
            if token in self.inductive_losses:
                part = self.inductive_losses[token](own, teacher_scores, features)
            else:
                part = self.quality_loss(own, teacher_scores)
            parts[token] = self.inductive_weight * part
        return parts

    def _apply(self, fn: Callable[[Tensor], Tensor], recurse: bool = True) -> "RKIQTDistillation":
        self._teachers.apply(fn)
        return super()._apply(fn, recurse)
