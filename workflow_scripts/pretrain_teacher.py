"""Train a teacher on a split's training images, or on all scored images of a dataset."""

import json

from network_job import run_training

from iqadistill.models.registry import TEACHERS
from iqadistill.tables import read_table
from iqadistill.training.deep.references import read_reference_pool
from iqadistill.training.image_tables import as_one_split

params, files = snakemake.params, snakemake.input
settings = TEACHERS.create(json.loads(params.teacher))
names = {**json.loads(params.names), "encoder": "", "selector": "all", "student": ""}
every_image = params.split == "all"
split = 0 if every_image else int(params.split)


def prepare(teacher):
    """The teacher together with its references, and what it learns from."""
    tables = {name: read_table(files[name], name) for name in ("images", "splits", "patches")}
    if every_image:
        tables["splits"] = as_one_split(tables["splits"])
    pool = None
    if files.references:
        count = settings.reference_patches()
        pool = read_reference_pool(files.references, count, params.size, split=split, seed=params.seed)
    trained = settings.training_module(teacher, pool)
    sidecar = {"kind": "teacher", "variant": {**names, "split": params.split}, "sampler": json.loads(params.sampler)}
    return trained, {"tables": tables, "variant": names, "keep": 1.0, "sidecar": sidecar}


run_training(snakemake, settings, split, prepare)
