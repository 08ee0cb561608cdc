"""Rank the patches of every image; the keep rate is applied later by cutting the ranking."""

import json

from iqadistill.console import job_log
from iqadistill.selection.ranking import rank_patches
from iqadistill.selection.registry import SELECTORS
from iqadistill.tables import read_table, write_table

with job_log(snakemake.log[0]):
    files = snakemake.input
    selector = SELECTORS.create(json.loads(snakemake.params.selector)).create()
    selection, trace = rank_patches(
        read_table(files.embeddings, "embeddings"),
        selector,
        seed=snakemake.params.seed,
        patches=read_table(files.patches[0], "patches") if files.patches else None,
        images=read_table(files.images[0], "images") if files.images else None,
    )
    write_table(trace, snakemake.output.trace, "selection_trace")
    write_table(selection, snakemake.output.selection, "selection")
