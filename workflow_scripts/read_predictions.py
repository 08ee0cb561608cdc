"""Read the predictions of another tool."""

import json

from iqadistill.console import job_log
from iqadistill.tables import read_metadata, read_table, write_table
from iqadistill.training.competitors.predictions_file import read_predictions

with job_log(snakemake.log[0]):
    predictions = read_predictions(
        snakemake.input.file,
        read_table(snakemake.input.images, "images"),
        read_table(snakemake.input.splits, "splits"),
        student=snakemake.params.name,
        higher_better=json.loads(snakemake.params.student)["higher_better"],
    )
    write_table(predictions, snakemake.output.predictions, "predictions", read_metadata(predictions))
