"""A student with the teachers that a study gives it."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from iqadistill.models.rkiqt.distillation import RKIQTDistillation
from iqadistill.models.rkiqt.student import RKIQT
from iqadistill.training.deep.references import read_reference_pool
from iqadistill.training.deep.weights import rebuild_network


def with_teachers(
    student: RKIQT,
    settings: Mapping[str, Any],
    weights: Sequence[str | Path],
    sidecars: Sequence[str | Path],
    pristine: Sequence[str | Path],
    *,
    split: int,
    seed: int,
) -> RKIQTDistillation:
    """What is trained: the student, its trained teachers, and the losses between them.

    Args:
        student: Trained in place.
        settings: `teachers`, their names by role (nar, conv, inv), `pristine_patches`, how many pristine patches the NAR-teacher
            compares with, and what `RKIQTDistillation` takes beside them.
        weights: Of the teachers, in the order of `settings["teachers"]`.
        sidecars: Of these weights.
        pristine: Files of the pristine pictures, see `read_reference_pool`; none without a NAR-teacher.
        split: Number of the split, see there.
        seed: Of the draw of pristine patches.

    Raises:
        InputError: Weights are not those of their sidecar's network, or a setting is out of range.
    """
    trained = {
        role: rebuild_network(json.loads(Path(sidecar).read_text())["network"], file)
        for role, file, sidecar in zip(settings["teachers"], weights, sidecars, strict=True)
    }
    pool = None
    if pristine:
        pool = read_reference_pool(pristine, settings["pristine_patches"], student.size, split=split, seed=seed)
    how = {name: value for name, value in settings.items() if name not in ("teachers", "pristine_patches")}
    return RKIQTDistillation(student, **trained, pool=pool, **how)
