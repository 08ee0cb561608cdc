"""Train MLPs on kept patches: all splits, selectors and keep rates as one batched model."""

import json

from job import granted_device

import torch

from iqadistill.console import job_log
from iqadistill.models.registry import STUDENTS
from iqadistill.tables import read_table, write_table
from iqadistill.training.image_tables import score_scale
from iqadistill.training.mlp.training import train_mlps
from iqadistill.training.sidecar import Sidecar

with job_log(snakemake.log[0]), granted_device(snakemake) as device:
    torch.set_num_threads(snakemake.threads)
    params, files = snakemake.params, snakemake.input
    settings = STUDENTS.create(json.loads(params.student))
    names, variants, selectors = (json.loads(params[name]) for name in ("names", "variants", "selectors"))
    images = read_table(files.images, "images")
    selections = [read_table(file, "selection") for file in files.selections]
    mlps = train_mlps(
        read_table(files.embeddings, "embeddings"),
        images,
        read_table(files.splits, "splits"),
        dict(zip(selectors, selections, strict=True)),
        [(selector, keep) for selector, keep in variants],
        settings,
        seed=params.seed,
        device=device,
    )
    write_table(mlps.history(**names), snakemake.output.history, "history")
    mlps.save(snakemake.output.weights)
    sidecar = Sidecar.record(
        [files.embeddings, files.splits],
        kind="mlps",
        variant=names,
        variants=variants,
        settings=settings.model_dump(mode="json"),
        sampler=json.loads(params.sampler),
        encoder=json.loads(params.encoder),
        seed=params.seed,
        scale=score_scale(images),
    )
    sidecar.write(snakemake.output.sidecar)
