"""A student and three teachers, small enough to be trained many times, and images for them."""

import torch
import torch.nn.functional as F

from iqadistill.models import create_model
from iqadistill.models.rkiqt.distillation import RKIQTDistillation
from iqadistill.models.rkiqt.reference_pool import ReferencePool
from iqadistill.models.students.rkiqt import RkiqtSettings

SIZE = 64  # 4 x 4 tokens
TEACHERS = ("nar", "conv", "inv")


def tiny_student(**settings):
    """A student of three blocks 64 wide."""
    torch.manual_seed(0)
    return create_model("rkiqt", **{"backbone": "test_vit", "size": SIZE, "depth": 3, "decoder_heads": 4, **settings})


def tiny_teachers(*names):
    """Some of three frozen teachers, and the NAR-teacher's pool."""
    torch.manual_seed(1)
    mixers = {"width": 8, "cells": 2, "mixer_width": 16, "difference_depth": 1, "image_depth": 1}
    made = {
        "nar": lambda: create_model("nar_teacher", backbone="test_convnext", size=SIZE, **mixers),
        "conv": lambda: _scoring(create_model("regressor", backbone="test_convnext", size=SIZE)),
        "inv": lambda: _scoring(create_model("regressor", backbone="test_convnext2", size=SIZE)),
    }
    found = {name: made[name]() for name in names}
    if "nar" in names:
        found["pool"] = ReferencePool((255 * pristine(40, seed=5)).byte())
    return found


def _scoring(teacher):
    """The teacher with a head that tells patches apart, as a trained one does."""
    teacher.head.reset_parameters()
    return teacher


def tiny_distillation(*teachers, student=None, **settings):
    """A student with some of the teachers."""
    student = student or tiny_student()
    given = tiny_teachers(*teachers)
    torch.manual_seed(2)
    pool, arguments = given.pop("pool", None), {}
    if "memory_gb" in settings:
        arguments["memory_gb"] = settings.pop("memory_gb")
    return RKIQTDistillation(student, RkiqtSettings(**settings), given, pool, **arguments)


def pristine(number, seed):
    """Mosaics (number, 3, 64, 64) of random colours."""
    colours = torch.rand(number, 3, 16, 16, generator=torch.Generator().manual_seed(seed))
    return F.interpolate(colours, size=(SIZE, SIZE), mode="nearest")


def pictures(number=32, seed=0):
    """Mosaics (number, 3, 64, 64), blurred or noisy, the less the better; and their quality (number,)."""
    generator = torch.Generator().manual_seed(seed)
    clean, strength = pristine(number, seed), torch.rand(number, generator=generator)
    amount = strength[:, None, None, None]
    blurred = torch.lerp(clean, F.avg_pool2d(clean, 7, 1, 3), amount)
    noisy = (clean + 0.4 * amount * torch.randn(clean.shape, generator=generator)).clamp(0, 1)
    return torch.where((torch.arange(number) % 2 == 0)[:, None, None, None], blurred, noisy), 1 - strength
