"""Embed every patch of a dataset with a frozen network."""

import json

import torch
from job import granted_device

from iqadistill.console import job_log
from iqadistill.encoders.embedding import embed_patches
from iqadistill.encoders.encoder import create_encoder
from iqadistill.tables import read_table, write_table

with job_log(snakemake.log[0]), granted_device(snakemake) as device:
    torch.set_num_threads(snakemake.threads)
    settings = json.loads(snakemake.params.encoder)
    dtype = settings.pop("dtype")
    embeddings = embed_patches(
        read_table(snakemake.input.images, "images"),
        read_table(snakemake.input.patches, "patches"),
        create_encoder(**settings, device=device),
        dtype=dtype,
    )
    write_table(embeddings, snakemake.output.embeddings, "embeddings")
