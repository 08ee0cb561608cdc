"""Retrieve a dataset's official files, unpack them, and record their checksums."""

import json
from pathlib import Path

from iqadistill.atomic_writing import write_atomically
from iqadistill.console import job_log
from iqadistill.datasets.retrieval.retrieval import retrieve_dataset

with job_log(snakemake.log[0]):
    manifest = retrieve_dataset(snakemake.params.source, snakemake.params.root, url=snakemake.params.url)
    text = json.dumps({"dataset": snakemake.params.name, **manifest}, indent=2) + "\n"
    write_atomically(Path(snakemake.output.manifest), lambda temporary: temporary.write_text(text))
