"""Train an MLP on random rankings of the patches, and score the test images: what a selector is ranked among."""

import json

from job import granted_device

import torch

from iqadistill.console import job_log
from iqadistill.models.registry import STUDENTS
from iqadistill.sampling.patch_table import scoring_patches
from iqadistill.tables import read_table, write_table
from iqadistill.training.mlp.random_draws import predict_random_draws

with job_log(snakemake.log[0]), granted_device(snakemake) as device:
    torch.set_num_threads(snakemake.threads)
    params, files = snakemake.params, snakemake.input
    names = json.loads(params.names)
    embeddings = read_table(files.embeddings, "embeddings")
    draws = predict_random_draws(
        embeddings,
        read_table(files.images, "images"),
        read_table(files.splits, "splits"),
        dict(json.loads(params.draws)),
        STUDENTS.create(json.loads(params.student)),
        names={key: names[key] for key in ("sampler", "encoder", "student")},
        seed=params.seed,
        pooling=params.pooling,
        test_patches=params.test_patches,
        scored=scoring_patches(embeddings, params.max_test_patches, params.seed),
        patches=read_table(files.patches[0], "patches") if files.patches else None,
        device=device,
    )
    write_table(draws, snakemake.output.draws, "draws")
