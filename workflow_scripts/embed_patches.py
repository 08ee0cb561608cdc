"""Embed every patch of a dataset with a frozen network."""

import json

from job import granted_device

from iqadistill.console import job_log
from iqadistill.encoders.embedding import embed_patches
from iqadistill.encoders.registry import ENCODERS
from iqadistill.tables import read_table, write_table

with job_log(snakemake.log[0]), granted_device(snakemake) as device:
    encoder = ENCODERS.create(json.loads(snakemake.params.encoder))
    embeddings = embed_patches(
        read_table(snakemake.input.images, "images"),
        read_table(snakemake.input.patches, "patches"),
        encoder.create(device),
        dtype=encoder.dtype,
    )
    write_table(embeddings, snakemake.output.embeddings, "embeddings")
