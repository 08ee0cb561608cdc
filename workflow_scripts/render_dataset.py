"""Render a gallery, distort pristine panoramas, or draw noise: images first, images.csv last."""

from pathlib import Path

from iqadistill.console import job_log
from iqadistill.datasets.galleries.rendering import render_dataset

with job_log(snakemake.log[0]):
    render_dataset(
        snakemake.params.source,
        Path(snakemake.output.labels).parent,
        seed=snakemake.params.seed,
        root=Path(snakemake.params.root) if snakemake.params.root else None,
        workers=snakemake.threads,
    )
