"""Score every patch of the test images with the MLPs that learned from all patches."""

import json

from job import granted_device

import torch

from iqadistill.console import job_log
from iqadistill.tables import read_table, write_table
from iqadistill.training.mlp.patch_scores import score_test_patches
from iqadistill.training.mlp.trained_mlps import load_mlps

with job_log(snakemake.log[0]), granted_device(snakemake) as device:
    torch.set_num_threads(snakemake.threads)
    names, files = json.loads(snakemake.params.names), snakemake.input
    scores = score_test_patches(
        load_mlps(files.weights, device=device),
        read_table(files.embeddings, "embeddings"),
        read_table(files.images, "images"),
        read_table(files.splits, "splits"),
        sampler=names["sampler"],
        encoder=names["encoder"],
        student=names["student"],
    )
    write_table(scores, snakemake.output.scores, "patch_scores")
