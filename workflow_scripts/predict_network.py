"""Score every image with a trained deep student."""

import json
from pathlib import Path

import torch
from job import granted_device

from iqadistill.console import job_log
from iqadistill.patches.kept import kept_patches
from iqadistill.tables import read_table, write_table
from iqadistill.training.deep.prediction import predict_network
from iqadistill.training.deep.weights import rebuild_network

with job_log(snakemake.log[0]), granted_device(snakemake) as device:
    torch.set_num_threads(snakemake.threads)
    facts = json.loads(Path(snakemake.input.sidecar).read_text())
    settings, recipe = facts["network"], facts["recipe"]
    patches = read_table(snakemake.input.patches, "patches")
    if snakemake.params.test_patches == "kept" and snakemake.input.selection:
        patches = kept_patches(patches, read_table(snakemake.input.selection[0], "selection"), facts["variant"]["keep"])
    predictions = predict_network(
        rebuild_network(settings, snakemake.input.weights),
        read_table(snakemake.input.images, "images"),
        patches,
        facts["variant"],
        pooling=snakemake.params.pooling,
        size=settings["size"],
        device=device,
        precision=recipe["precision"],
        workers=snakemake.threads,
    )
    write_table(predictions, snakemake.output.predictions, "predictions")
