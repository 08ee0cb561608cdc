"""Train a deep student on the kept patches of one split."""

import json

from network_job import run_training

from iqadistill.models.registry import STUDENTS
from iqadistill.tables import read_table
from iqadistill.training.deep.distillation import with_teachers
from iqadistill.training.image_tables import score_scale

params, files = snakemake.params, snakemake.input
settings = STUDENTS.create(json.loads(params.student))
names, teachers = json.loads(params.names), json.loads(params.teachers)
split, keep = int(names["split"]), float(names["keep"])


def prepare(student):
    """The student together with its teachers, and what it learns from."""
    tables = {name: read_table(files[name], name) for name in ("images", "splits", "patches")}
    if files.selection:
        tables["selection"] = read_table(files.selection[0], "selection")
    trained = with_teachers(
        student,
        settings,
        teachers,
        files.teachers,
        files.teacher_sidecars,
        files.references,
        reference_patches=params.reference_patches,
        size=params.size,
        split=split,
        seed=params.seed,
    )
    sidecar = {"kind": "student", "variant": {**names, "keep": keep, "split": split}, "teachers": teachers}
    sidecar |= {"sampler": json.loads(params.sampler), "scale": score_scale(tables["images"])}
    variant = {name: value for name, value in names.items() if name not in ("keep", "split")}
    return trained, {"tables": tables, "variant": variant, "keep": keep, "sidecar": sidecar}


run_training(snakemake, settings, split, prepare)
