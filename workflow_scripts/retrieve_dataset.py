"""Get a dataset's official files, unpacked, and write down what they were like."""

import json
from pathlib import Path

from iqadistill.console import job_log
from iqadistill.datasets.retrieval.retrieval import retrieve_dataset
from iqadistill.tables import write_atomically

with job_log(snakemake.log[0]):
    found = retrieve_dataset(snakemake.params.source, snakemake.params.root, url=snakemake.params.url)
    text = json.dumps({"dataset": snakemake.wildcards.dataset, **found}, indent=2) + "\n"
    write_atomically(Path(snakemake.output.manifest), lambda temporary: temporary.write_text(text))
