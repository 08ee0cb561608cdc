"""A student, three teachers and images, small enough for many trainings."""

import torch
import torch.nn.functional as F

from iqadistill.models import STUDENTS, create_model
from iqadistill.models.rkiqt.distillation import RKIQTDistillation
from iqadistill.models.rkiqt.reference_pool import ReferencePool

SIZE = 64  # 4 x 4 tokens
TEACHERS = ("nar", "conv", "inv")


def tiny_student(**settings):
    """A student of three blocks of width 64."""
    torch.manual_seed(0)
    return create_model("rkiqt", **{"backbone": "test_vit", "size": SIZE, "depth": 3, "decoder_heads": 4, **settings})


def tiny_teachers(*roles):
    """Teachers of the given roles."""
    torch.manual_seed(1)
    mixers = {"width": 8, "cells": 2, "mixer_width": 16, "difference_depth": 1, "image_depth": 1}
    create = {
        "nar": lambda: create_model("nar_teacher", backbone="test_convnext", size=SIZE, **mixers),
        "conv": lambda: _scoring("test_convnext"),
        "inv": lambda: _scoring("test_convnext2"),
    }
    return {role: create[role]() for role in roles}


def tiny_pool():
    """Pool of pristine references for the NAR-teacher."""
    return ReferencePool((255 * pristine(40, seed=5)).byte())


def _scoring(backbone):
    """A regressor whose head distinguishes patches, as a trained one does."""
    teacher = create_model("regressor", backbone=backbone, size=SIZE)
    teacher.head.reset_parameters()
    return teacher


def tiny_distillation(*roles, student=None, pool=None, **settings):
    """A student with teachers of the given roles."""
    student = student or tiny_student()
    teachers = tiny_teachers(*roles)
    torch.manual_seed(2)
    settings = STUDENTS.create({"model": "rkiqt", **settings})
    return RKIQTDistillation(student, settings, teachers, pool or tiny_pool())


def pristine(count, seed):
    """Mosaics (count, 3, 64, 64) of random colours."""
    colours = torch.rand(count, 3, 16, 16, generator=torch.Generator().manual_seed(seed))
    return F.interpolate(colours, size=(SIZE, SIZE), mode="nearest")


def distorted(count=32, seed=0):
    """Mosaics (count, 3, 64, 64) with blur or noise, and their quality (count,), which falls with its strength."""
    generator = torch.Generator().manual_seed(seed)
    clean, strength = pristine(count, seed), torch.rand(count, generator=generator)
    amount = strength[:, None, None, None]
    blurred = torch.lerp(clean, F.avg_pool2d(clean, 7, 1, 3), amount)
    noisy = (clean + 0.4 * amount * torch.randn(clean.shape, generator=generator)).clamp(0, 1)
    return torch.where((torch.arange(count) % 2 == 0)[:, None, None, None], blurred, noisy), 1 - strength
