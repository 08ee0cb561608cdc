"""A student with the teachers that a study gives it."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from iqadistill.models.reference_pool import ReferencePool
from iqadistill.models.rkiqt import RKIQT
from iqadistill.models.rkiqt_distillation import RKIQTDistillation
from iqadistill.training.network_weights import rebuild_network


def with_teachers(
    student: RKIQT,
    settings: Mapping[str, Any],
    weights: Sequence[str | Path],
    sidecars: Sequence[str | Path],
    pool: ReferencePool | None,
) -> RKIQTDistillation:
    """What is trained: the student, its trained teachers, and the losses between them.

    Args:
        student: Trained in place.
        settings: `teachers`, their names by role (nar, conv, inv), and what `RKIQTDistillation` takes beside them.
        weights: Of the teachers, in the order of `settings["teachers"]`.
        sidecars: Of these weights.
        pool: Pristine patches for the NAR-teacher, if there is one.

    Raises:
        InputError: Weights are not those of their sidecar's network, or a setting is out of range.
    """
    trained = {
        role: rebuild_network(json.loads(Path(sidecar).read_text())["network"], file)
        for role, file, sidecar in zip(settings["teachers"], weights, sidecars, strict=True)
    }
    how = {name: value for name, value in settings.items() if name not in ("teachers", "pristine_patches")}
    return RKIQTDistillation(student, **trained, pool=pool, **how)
