"""Score whole images with a published method, trained on every split."""

import json

from iqadistill.console import job_log
from iqadistill.models.registry import STUDENTS
from iqadistill.tables import read_table, write_table
from iqadistill.training.competitors.prediction import predict_images

with job_log(snakemake.log[0]):
    files = snakemake.input
    predictions = predict_images(
        STUDENTS.create(json.loads(snakemake.params.student)),
        read_table(files.images, "images"),
        read_table(files.splits, "splits"),
        read_table(files.pristine[0], "images") if files.pristine else None,
        student=snakemake.params.name,
        workers=snakemake.threads,
    )
    write_table(predictions, snakemake.output.predictions, "predictions")
