"""Score every image with a trained deep student, of the dataset it was trained on or of another one."""

import time

from job import decoding_threads, granted_device, quick_imports

import pyarrow.compute as pc
import torch

from iqadistill.console import job_log
from iqadistill.evaluation.scoring_time import write_scoring_time
from iqadistill.sampling.patch_table import scoring_patches
from iqadistill.selection.kept import kept_patches
from iqadistill.tables import read_table, write_table
from iqadistill.training.deep.prediction import predict_network
from iqadistill.training.deep.weights import rebuild_network
from iqadistill.training.sidecar import Sidecar

with job_log(snakemake.log[0]), granted_device(snakemake) as device:
    torch.set_num_threads(snakemake.threads)
    params, files = snakemake.params, snakemake.input
    sidecar = Sidecar.read(files.sidecar)
    patches = read_table(files.patches, "patches")
    if params.test_patches == "kept" and files.selection:
        patches = kept_patches(patches, read_table(files.selection[0], "selection"), sidecar.variant["keep"])
    patches = scoring_patches(patches, params.max_test_patches, params.seed)
    with quick_imports():
        network = rebuild_network(sidecar, files.weights)
    images = read_table(files.images, "images")
    start = time.perf_counter()
    predictions = predict_network(
        network,
        images,
        patches,
        sidecar.variant,
        pooling=params.pooling,
        flip=params.flip,
        size=sidecar.size,
        device=device,
        precision=sidecar.settings["precision"],
        workers=decoding_threads(snakemake),
    )
    write_scoring_time(
        snakemake.output.time,
        time.perf_counter() - start,
        images=len(predictions),
        patches=pc.sum(predictions["num_patches"]).as_py(),
        passes=2 if params.flip else 1,
    )
    write_table(predictions, snakemake.output.predictions, "predictions")
