"""A student together with the teachers that a study gives it."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from torch import nn

from iqadistill.errors import InputError
from iqadistill.models.settings import DeepStudentSettings
from iqadistill.training.deep.references import read_reference_pool
from iqadistill.training.deep.weights import rebuild_network
from iqadistill.training.sidecar import Sidecar


def with_teachers(
    student: nn.Module,
    settings: DeepStudentSettings,
    teachers: Mapping[str, str],
    weights: Sequence[str | Path],
    sidecars: Sequence[str | Path],
    references: Sequence[str | Path],
    *,
    reference_patches: int,
    size: int,
    split: int,
    seed: int,
) -> nn.Module:
    """The module that is trained: the student alone, or with its trained teachers and the losses between them.

    Args:
        student: The student, trained in place.
        settings: Settings of the student.
        teachers: Names of the teachers by role.
        weights: Weights of the teachers, in the order of `teachers`.
        sidecars: Sidecars of these weights.
        references: Files of the pristine images, see `read_reference_pool`; empty if no teacher uses references.
        reference_patches: Number of pristine patches in the pool.
        size: Side of the patches in pixels.
        split: Number of the split, for references.
        seed: Seed of the draw of pristine patches.

    Raises:
        InputError: A teacher has another model than its role needs, or its weights are not those of its sidecar.
    """
    networks = {}
    for (role, name), file, sidecar_file in zip(teachers.items(), weights, sidecars, strict=True):
        sidecar = Sidecar.read(sidecar_file)
        model, expected = sidecar.settings["model"], settings.teacher_models[role]
        if model != expected:
            raise InputError(
                f"teachers.{name}: model {model!r} as {role}, expected {expected!r}; choose another teacher."
            )
        networks[role] = rebuild_network(sidecar, file)
    pool = None
    if references:
        pool = read_reference_pool(references, reference_patches, size, split=split, seed=seed)
    return settings.distilled(student, networks, pool)
