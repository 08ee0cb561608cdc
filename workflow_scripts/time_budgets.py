"""Measure the time to score an image from few of its patches, for each way of choosing them."""

import json

from job import granted_device

import pyarrow as pa
import torch

from iqadistill.console import job_log
from iqadistill.encoders.registry import ENCODERS
from iqadistill.evaluation.budget_times import time_budgets
from iqadistill.scoring.scorers import MlpScorer
from iqadistill.selection.registry import SELECTORS
from iqadistill.tables import read_table, write_table
from iqadistill.training.mlp.trained_mlps import load_mlps

with job_log(snakemake.log[0]), granted_device(snakemake) as device:
    torch.set_num_threads(snakemake.threads)
    params, files = snakemake.params, snakemake.input
    entries = {name: SELECTORS.create(entry) for name, entry in json.loads(params.selectors).items()}
    selectors = {name: (entry.create(), entry.needs_patches) for name, entry in entries.items()}
    parts = []
    for place, (weights, names) in enumerate(zip(files.weights, json.loads(params.names), strict=True)):
        table = place // params.students
        stack = load_mlps(weights, device=device).stack[[0]]  # all splits cost the same
        scorer = MlpScorer(ENCODERS.create(json.loads(params.encoders)[table]).create(device), stack)
        images, patches, embeddings = (
            read_table(files[kind][table], kind) for kind in ("images", "patches", "embeddings")
        )
        parts.append(
            time_budgets(
                images,
                patches,
                embeddings,
                lambda image, rows, by=scorer: by.scores(by.read(image, rows)),
                selectors,
                names=names,
                seed=params.seed,
            )
        )
    write_table(pa.concat_tables(parts), snakemake.output.times, "budget_times")
