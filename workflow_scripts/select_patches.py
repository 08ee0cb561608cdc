"""Rank the patches of every image; the keep rate is chosen later by cutting the ranking."""

import json

import torch
from job import granted_device

from iqadistill.console import job_log
from iqadistill.selection.ranking import create_selector, rank_patches
from iqadistill.tables import read_table, write_table

with job_log(snakemake.log[0]), granted_device(snakemake) as device:
    torch.set_num_threads(snakemake.threads)
    settings = json.loads(snakemake.params.selector)
    selector = create_selector(settings.pop("method"), **settings, device=device)
    embeddings = read_table(snakemake.input.embeddings, "embeddings")
    selection, trace = rank_patches(embeddings, selector, seed=snakemake.params.seed)
    write_table(trace, snakemake.output.trace, "selection_trace")
    write_table(selection, snakemake.output.selection, "selection")
