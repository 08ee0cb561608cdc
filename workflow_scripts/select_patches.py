"""Rank the patches of every image; the keep rate is applied later by cutting the ranking."""

import json

from job import granted_device

from iqadistill.console import job_log
from iqadistill.selection.ranking import rank_patches
from iqadistill.selection.registry import SELECTORS
from iqadistill.tables import read_table, write_table

with job_log(snakemake.log[0]), granted_device(snakemake) as device:
    selector = SELECTORS.create(json.loads(snakemake.params.selector)).create(device)
    embeddings = read_table(snakemake.input.embeddings, "embeddings")
    selection, trace = rank_patches(embeddings, selector, seed=snakemake.params.seed)
    write_table(trace, snakemake.output.trace, "selection_trace")
    write_table(selection, snakemake.output.selection, "selection")
