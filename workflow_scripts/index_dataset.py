"""Check every image and score of a dataset and write its images table."""

import json

from iqadistill.console import job_log
from iqadistill.datasets.index import index_dataset
from iqadistill.sampling.image_checks import PatchRule
from iqadistill.tables import write_table

with job_log(snakemake.log[0]):
    images, metadata = index_dataset(
        snakemake.params.name,
        snakemake.params.root,
        source=snakemake.params.source,
        kind=snakemake.params.kind,
        score_range=tuple(snakemake.params.score_range) or None,
        on_error=snakemake.params.on_error,
        rules=[PatchRule(**json.loads(rule)) for rule in snakemake.params.patches],
        workers=snakemake.threads,
    )
    write_table(images, snakemake.output.images, "images", metadata)
    for reason in filter(None, images["reason"].to_pylist()):
        print(f"quarantined: {reason}")
