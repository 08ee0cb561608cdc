"""Score whole images with a published method, trained on every split."""

import json
import time

from iqadistill.console import job_log
from iqadistill.evaluation.scoring_time import write_scoring_time
from iqadistill.models.registry import STUDENTS
from iqadistill.tables import read_table, write_table
from iqadistill.training.competitors.prediction import predict_images

with job_log(snakemake.log[0]):
    files = snakemake.input
    images = read_table(files.images, "images")
    start = time.perf_counter()
    predictions = predict_images(
        STUDENTS.create(json.loads(snakemake.params.student)),
        images,
        read_table(files.splits, "splits"),
        read_table(files.pristine[0], "images") if files.pristine else None,
        student=snakemake.params.name,
        workers=snakemake.threads,
    )
    scored = len(predictions["image_id"].unique())
    write_scoring_time(snakemake.output.time, time.perf_counter() - start, images=scored, patches=0)
    write_table(predictions, snakemake.output.predictions, "predictions")
