"""Score every image with every trained variant."""

from pathlib import Path

import torch
from job import granted_device

from iqadistill.console import job_log
from iqadistill.tables import read_table, write_table
from iqadistill.training.mlp.prediction import predict_sweep
from iqadistill.training.mlp.sweep import load_sweep

with job_log(snakemake.log[0]), granted_device(snakemake) as device:
    torch.set_num_threads(snakemake.threads)
    predictions = predict_sweep(
        load_sweep(snakemake.input.weights, device=device),
        read_table(snakemake.input.embeddings, "embeddings"),
        read_table(snakemake.input.images, "images"),
        {Path(file).stem: read_table(file, "selection") for file in snakemake.input.selections},
        pooling=snakemake.params.pooling,
        test_patches=snakemake.params.test_patches,
        sampler=snakemake.wildcards.sampler,
        encoder=snakemake.wildcards.encoder,
        student=snakemake.wildcards.student,
    )
    write_table(predictions, snakemake.output.predictions, "predictions")
