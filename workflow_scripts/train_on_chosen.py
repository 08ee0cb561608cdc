"""Train an MLP on chosen training images and on random ones, and score the test images: what ratings are worth."""

import json

from job import granted_device

import pyarrow.compute as pc
import torch

from iqadistill.console import job_log
from iqadistill.models.registry import STUDENTS
from iqadistill.sampling.patch_table import scoring_patches
from iqadistill.tables import read_table, write_table
from iqadistill.training.mlp.chosen_images import predict_chosen

with job_log(snakemake.log[0]), granted_device(snakemake) as device:
    torch.set_num_threads(snakemake.threads)
    params, files = snakemake.params, snakemake.input
    names = json.loads(params.names)
    embeddings = read_table(files.embeddings, "embeddings")
    splits = read_table(files.splits, "splits")
    choices = predict_chosen(
        embeddings,
        read_table(files.images, "images"),
        splits.filter(pc.field("split").isin(json.loads(params.splits))),
        json.loads(params.budgets),
        json.loads(params.choosers),
        STUDENTS.create(json.loads(params.student)),
        names={key: names[key] for key in ("sampler", "encoder", "student")},
        draws=params.draws,
        seed=params.seed,
        pooling=params.pooling,
        scored=scoring_patches(embeddings, params.max_test_patches, params.seed),
        patches=read_table(files.patches[0], "patches") if files.patches else None,
        device=device,
    )
    write_table(choices, snakemake.output.choices, "choices")
