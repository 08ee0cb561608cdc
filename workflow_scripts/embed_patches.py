"""Embed every patch of a dataset, or of a part of it, with a frozen network."""

import json
import time

from job import granted_device

from iqadistill.console import job_log
from iqadistill.encoders.embedding import embed_patches
from iqadistill.encoders.registry import ENCODERS
from iqadistill.encoders.shards import shard_of
from iqadistill.evaluation.scoring_time import write_scoring_time
from iqadistill.tables import read_table, write_table

with job_log(snakemake.log[0]), granted_device(snakemake) as device:
    encoder = ENCODERS.create(json.loads(snakemake.params.encoder))
    images = read_table(snakemake.input.images, "images")
    patches = read_table(snakemake.input.patches, "patches")
    patches = shard_of(patches, snakemake.params.get("number", 0), snakemake.params.get("shards", 1))
    network = encoder.create(device)
    start = time.perf_counter()
    embeddings = embed_patches(images, patches, network, dtype=encoder.dtype)
    seconds = time.perf_counter() - start
    embedded = len(embeddings["image_id"].unique())
    write_scoring_time(snakemake.output.time, seconds, images=embedded, patches=len(embeddings))
    write_table(embeddings, snakemake.output.embeddings, "embeddings")
