"""Score every image with every trained MLP."""

import json
import time

from job import granted_device

import pyarrow.compute as pc
import torch

from iqadistill.console import job_log
from iqadistill.evaluation.scoring_time import write_scoring_time
from iqadistill.sampling.patch_table import scoring_patches
from iqadistill.tables import read_table, write_table
from iqadistill.training.mlp.prediction import predict_mlps
from iqadistill.training.mlp.trained_mlps import load_mlps

with job_log(snakemake.log[0]), granted_device(snakemake) as device:
    torch.set_num_threads(snakemake.threads)
    params, files = snakemake.params, snakemake.input
    names, selectors = json.loads(params.names), json.loads(params.selectors)
    selections = [read_table(file, "selection") for file in files.selections]
    embeddings = scoring_patches(read_table(files.embeddings, "embeddings"), params.max_test_patches, params.seed)
    mlps = load_mlps(files.weights, device=device)
    start = time.perf_counter()
    predictions = predict_mlps(
        mlps,
        embeddings,
        read_table(files.images, "images"),
        dict(zip(selectors, selections, strict=True)),
        sampler=names["sampler"],
        encoder=names["encoder"],
        student=names["student"],
        pooling=params.pooling,
        test_patches=params.test_patches,
        patches=read_table(files.patches[0], "patches") if files.patches else None,
    )
    seconds = time.perf_counter() - start
    of_one = predictions.slice(0, len(predictions) // len(mlps.variants))
    write_scoring_time(
        snakemake.output.time,
        seconds,
        images=len(of_one),
        patches=pc.sum(of_one["num_patches"]).as_py(),
        passes=len(mlps.variants),
    )
    write_table(predictions, snakemake.output.predictions, "predictions")
