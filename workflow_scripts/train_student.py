"""Train a student on kept patches: all splits, selectors and keep rates of the sweep at once."""

import json
from pathlib import Path

import torch
from job import granted_device

from iqadistill.console import job_log
from iqadistill.provenance import write_sidecar
from iqadistill.tables import read_table, write_table
from iqadistill.training.mlp.training import train_sweep
from iqadistill.training.score_scale import score_scale

with job_log(snakemake.log[0]), granted_device(snakemake) as device:
    torch.set_num_threads(snakemake.threads)
    settings = json.loads(snakemake.params.student)
    variants = json.loads(snakemake.params.variants)
    images = read_table(snakemake.input.images, "images")
    sweep = train_sweep(
        read_table(snakemake.input.embeddings, "embeddings"),
        images,
        read_table(snakemake.input.splits, "splits"),
        {Path(file).stem: read_table(file, "selection") for file in snakemake.input.selections},
        [(selector, keep) for selector, keep in variants],
        **settings,
        seed=snakemake.params.seed,
        device=device,
    )
    names = {name: snakemake.wildcards[name] for name in ("sampler", "encoder", "student")}
    names |= {"train_dataset": snakemake.wildcards.dataset, "teacher": ""}
    write_table(sweep.history(**names), snakemake.output.history, "history")
    sweep.save(snakemake.output.weights)
    facts = {"variant": names, "settings": settings, "seed": snakemake.params.seed, "variants": variants}
    facts |= {name: json.loads(snakemake.params[name]) for name in ("sampler", "encoder")}
    facts["scale"] = score_scale(images)
    write_sidecar(snakemake.output.sidecar, facts, [snakemake.input.embeddings, snakemake.input.splits])
