"""Teachers that a student learns from and does not own."""

from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor, nn

from iqadistill.models.rkiqt.nar_teacher import NARTeacher
from iqadistill.models.rkiqt.reference_pool import ReferencePool
from iqadistill.models.rkiqt.regressor import Regressor
from iqadistill.models.rkiqt.teacher_cache import Recollection

_AT_ONCE = 32  # references of one forward pass


class FrozenTeachers:
    """Teachers in eval mode, without gradients, and the pool of references of the NAR-teacher.

    It is no module: a student that holds it has none of their tensors among its parameters or in its state dict. Copies of a student
    share it.

    Args:
        nar: Compares with references; None for none.
        pool: Its references.
        regressors: By the name of the student's token that learns from them.
        memory_gb: Bound on the memory of what they said about patches, which is used where the same patch comes again, in GiB.
    """

    def __init__(
        self,
        nar: NARTeacher | None,
        pool: ReferencePool | None,
        regressors: Mapping[str, Regressor],
        memory_gb: float,
    ):
        self.nar, self.pool, self.regressors, self.memory_gb = nar, pool, dict(regressors), memory_gb
        for module in self._modules():
            module.eval().requires_grad_(False)
        self._forget()

    def __deepcopy__(self, memo: Any) -> "FrozenTeachers":
        return self

    def apply(self, change: Callable[[Tensor], Tensor]) -> None:
        """Apply `change` to every tensor, as `torch.nn.Module.to` and its like do."""
        for module in self._modules():
            module._apply(change)
        self._forget()

    @torch.no_grad()
    def teach(self, patches: Tensor) -> tuple[list[Tensor], dict[str, tuple[Tensor, list[Tensor]]]]:
        """What there is to learn about patches (B, 3, H, W) in [0, 1].

        Returns:
            The NAR-teacher's maps HQ - LQ (B, channels, cells, cells), depth by depth, each patch against a drawn reference; none
            without that teacher. And for each other teacher, by token, its scores (B,) and the means (B, C, 1, 1) of its three maps.
        """
        if not self._modules():
            return [], {}
        said = iter(self._recollection(patches))
        differences = self._differences([next(said) for _ in self.nar.projections]) if self.nar else []
        return differences, {token: (next(said), [next(said) for _ in range(3)]) for token in self.regressors}

    def _differences(self, pictures: list[Tensor]) -> list[Tensor]:
        if self._references is None:  # neither the references nor the teacher change: once is enough
            parts = torch.arange(len(self.pool), device=self.pool.patches.device).split(_AT_ONCE)
            projected = [self.nar.project(self.pool.pixels(part)) for part in parts]
            self._references = [torch.cat(maps) for maps in zip(*projected, strict=True)]
        drawn = self.pool.draw(len(pictures[0]))
        return self.nar.differences(pictures, [maps[drawn] for maps in self._references])

    def _say(self, patches: Tensor) -> list[Tensor]:
        said = self.nar.project(patches) if self.nar else []
        for teacher in self.regressors.values():
            scores, maps = teacher.middle(patches)
            said = [*said, scores, *(own.mean((2, 3), keepdim=True) for own in maps)]
        return said

    def _forget(self) -> None:
        self._references: list[Tensor] | None = None
        self._recollection = Recollection(self._say, self.memory_gb)

    def _modules(self) -> list[nn.Module]:
        found = (self.nar, self.pool, *self.regressors.values())
        return [module for module in found if module is not None]
