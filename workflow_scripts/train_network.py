"""Train a deep student on the kept patches of one split."""

import json

from network_job import new_network, run_training

from iqadistill.tables import read_table
from iqadistill.training.deep.distillation import with_teachers
from iqadistill.training.score_scale import score_scale

w, teaching = snakemake.wildcards, json.loads(snakemake.params.teaching)


def prepare():
    """The student, the student beside its teachers, and what it learns from."""
    tables = {name: read_table(snakemake.input[name], name) for name in ("images", "splits", "patches")}
    if snakemake.input.selection:
        tables["selection"] = read_table(snakemake.input.selection[0], "selection")
    split, keep = int(w.split), float(w.keep)
    variant = {name: w[name] for name in ("sampler", "encoder", "selector", "student")}
    variant |= {"train_dataset": w.dataset, "teacher": "+".join(teaching["teachers"].values()) if teaching else ""}
    student = trained = new_network(snakemake, split)
    if teaching:
        files = (snakemake.input[name] for name in ("teachers", "teacher_sidecars", "pristine"))
        trained = with_teachers(student, teaching, *files, split=split, seed=snakemake.params.seed)
    facts = {"variant": {**variant, "keep": keep, "split": split}, "teaching": teaching}
    facts["scale"] = score_scale(tables["images"])
    return student, trained, {"tables": tables, "variant": variant, "keep": keep, "split": split, "facts": facts}


run_training(snakemake, prepare)
