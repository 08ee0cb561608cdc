"""Train a teacher on a split's training images, or on all scored images of a dataset."""

import json

from network_job import new_network, run_training

from iqadistill.models.rkiqt.nar_teacher import NARTraining
from iqadistill.tables import read_table
from iqadistill.training.deep.every_image import as_one_split
from iqadistill.training.deep.references import read_reference_pool

w, params = snakemake.wildcards, snakemake.params


def prepare():
    """The teacher, the teacher beside its references, and what it learns from."""
    tables = {name: read_table(snakemake.input[name], name) for name in ("images", "splits", "patches")}
    split = 0
    if params.every_image:
        tables["splits"] = as_one_split(tables["splits"])
    else:
        split = int(w.split)
    variant = {"train_dataset": w.dataset, "sampler": w.sampler, "teacher": w.teacher}
    variant |= {"encoder": "", "selector": "all", "student": ""}
    teacher = trained = new_network(snakemake, split)
    if snakemake.input.pristine:
        number, size = params.pristine_patches, json.loads(params.network)["size"]
        pool = read_reference_pool(snakemake.input.pristine, number, size, split=split, seed=params.seed)
        trained = NARTraining(teacher, pool)
    facts = {"variant": {**variant, "split": w.split}}
    return teacher, trained, {"tables": tables, "variant": variant, "keep": 1.0, "split": split, "facts": facts}


run_training(snakemake, prepare)
