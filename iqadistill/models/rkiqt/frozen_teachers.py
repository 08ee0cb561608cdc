"""Frozen teachers of the RKIQT student, which uses but does not contain them."""

from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor, nn

from iqadistill.errors import InputError
from iqadistill.models.rkiqt.nar_teacher import NARTeacher
from iqadistill.models.rkiqt.reference_pool import ReferencePool
from iqadistill.models.rkiqt.regressor import Regressor
from iqadistill.models.rkiqt.teacher_cache import TeacherOutputCache

_REFERENCE_BATCH = 32


class FrozenTeachers:
    """Teachers in eval mode, without gradients, and the pool of references of the NAR-teacher.

    It is not a module: a student that holds it has none of their tensors among its parameters or in its state dict.
    Copies of a student share it.

    The NAR-teacher's differences are normalised: those of a depth are divided by the root mean square difference of a
    feature between any two cells of the references, and one weight of the loss on them means the same for every
    backbone. This unit follows from the frozen teacher and its references alone: a training that is resumed has the
    same one.

    Args:
        nar: NAR-teacher; None for none.
        pool: References of the NAR-teacher.
        regressors: CNN and INN teachers by the name of the student's token that learns from them.
        memory_gb: Bound on the memory of cached outputs in GiB, see `TeacherOutputCache`.
        disk_gb: Bound on the file of those beyond it, in GiB.
    """

    _references: list[Tensor] | None
    _units: list[Tensor]

    def __init__(
        self,
        nar: NARTeacher | None,
        pool: ReferencePool | None,
        regressors: Mapping[str, Regressor],
        memory_gb: float,
        disk_gb: float,
    ):
        self.nar, self.pool, self.regressors = nar, pool, dict(regressors)
        self.memory_gb, self.disk_gb = memory_gb, disk_gb
        for module in self._modules():
            module.eval().requires_grad_(False)
        self._reset()

    def __deepcopy__(self, memo: Any) -> "FrozenTeachers":
        return self

    def apply(self, change: Callable[[Tensor], Tensor]) -> None:
        """Apply `change` to every tensor, as `torch.nn.Module.to` and similar methods do."""
        for module in self._modules():
            module._apply(change)
        self._reset()

    @torch.no_grad()
    def teach(self, patches: Tensor) -> tuple[list[Tensor], dict[str, tuple[Tensor, list[Tensor]]]]:
        """Outputs of the teachers for patches (B, 3, H, W) in [0, 1].

        Returns:
            The NAR-teacher's maps HQ - LQ (B, channels, cells, cells), normalised, depth by depth, each patch
            against a drawn reference; empty without that teacher. And for each other teacher, by token, its scores (B,)
            and the means (B, C, 1, 1) of its three maps.

        Raises:
            InputError: The references have no differences.
        """
        if not self._modules():
            return [], {}
        outputs = iter(self._cache(patches))
        maps = [next(outputs) for _ in self.nar.projections] if self.nar else []
        differences = self._differences(self.nar, self.pool, maps) if self.nar and self.pool else []
        return differences, {token: (next(outputs), [next(outputs) for _ in range(3)]) for token in self.regressors}

    def _differences(self, nar: NARTeacher, pool: ReferencePool, maps: list[Tensor]) -> list[Tensor]:
        if self._references is None:  # neither the references nor the teacher change: once is enough
            parts = torch.arange(len(pool), device=pool.patches.device).split(_REFERENCE_BATCH)
            projected = [nar.project(pool.pixels(part)) for part in parts]
            self._references = [torch.cat(stages) for stages in zip(*projected, strict=True)]
            self._units = [_unit(stage) for stage in self._references]
        drawn = pool.draw(len(maps[0]))
        differences = nar.differences(maps, [stage[drawn] for stage in self._references])
        return [difference / unit for difference, unit in zip(differences, self._units, strict=True)]

    def _forward(self, patches: Tensor) -> list[Tensor]:
        outputs = self.nar.project(patches) if self.nar else []
        for teacher in self.regressors.values():
            scores, maps = teacher.middle(patches)
            outputs = [*outputs, scores, *(stage.mean((2, 3), keepdim=True) for stage in maps)]
        return outputs

    def _reset(self) -> None:
        self._references = None
        self._cache = TeacherOutputCache(self._forward, self.memory_gb, self.disk_gb)

    def _modules(self) -> list[nn.Module]:
        modules = (self.nar, self.pool, *self.regressors.values())
        return [module for module in modules if module is not None]


def _unit(references: Tensor) -> Tensor:
    """Root mean square difference () of a feature between two cells of the references (P, channels, cells, cells).

    It is taken over the cells of all patches: a single patch has a unit, too. Twice the variance is the mean square
    difference of two values.

    Raises:
        InputError: All cells are equal.
    """
    unit = (2 * references.var((0, 2, 3), correction=0).mean()).sqrt()
    if not unit > 0:
        raise InputError(
            "rkiqt: the features of the pristine patches are all equal, so their differences have no unit; give other "
            "pristine images, or more of their patches."
        )
    return unit
