"""A tiny study whose work is counted by hand."""

import copy

from iqadistill.config import Plan, check_study
from iqadistill.pricing.study_work import StudyWork

IMAGES, SCORED = 527, 510  # of gallery2d
TRAIN = SCORED * 0.75

RAW = {
    "name": "tiny",
    "datasets": {"gallery2d": {}},
    "samplers": {"random_crops": {"count": 4, "size": 64}},
    "encoders": {"tiny": {"model": "test_resnet", "weights": "none"}},
    "selectors": {"residual": {"n_components": 2}},
    "keep": [0.5, 1.0],
    "teachers": {
        "nar": {
            "model": "nar_teacher", "backbone": "test_resnet", "weights": "none", "pretrain_on": "target",
            "pristine": "target", "pristine_patches": 8, "cells": 1, "epochs": 2,
        },
        "cnn": {
            "model": "regressor", "backbone": "test_resnet", "weights": "none", "epochs": 3, "patches_per_epoch": 1,
        },
    },
    "students": {
        "mlp": {"hidden": [8], "dropout": [0.0], "epochs": 5},
        "adtrs": {"backbone": "test_resnet", "weights": "none", "splits": 1, "epochs": 2, "patches_per_epoch": 3},
        "rkiqt": {
            "backbone": "test_vit", "weights": "none", "splits": 2, "epochs": 2, "nar": "nar", "conv": "cnn",
            "decoder_heads": 2,
        },
    },
    "evaluation": {"splits": 3, "test_fraction": 0.2, "val_fraction": 0.05},
    "experiments": [{"figure": "rate_sweep"}, {"figure": "students", "students": ["adtrs", "rkiqt"]}],
}  # fmt: skip


def plan_of(raw):
    return Plan(check_study(copy.deepcopy(raw)))


def works_of(**changes):
    """The work of every job, by rule, of the tiny study with other entries."""
    raw = copy.deepcopy(RAW)
    for path, value in changes.items():
        *parents, key = path.split("__")
        entry = raw
        for parent in parents:
            entry = entry[parent]
        entry[key] = value
    plan = plan_of(raw)
    counted, found = StudyWork(plan), {}
    for job in plan.jobs.values():
        found.setdefault(job.rule, []).append((job, counted.of(job)))
    return found


def one(works, rule, **names):
    """The work of the one job of a rule with these names."""
    (work,) = [work for job, work in works[rule] if names.items() <= job.names.items()]
    return work
