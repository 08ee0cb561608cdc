"""Measure every variant on its test images: metrics of each split and type of distortion, summary, official split."""

import json

import pyarrow as pa

from iqadistill.console import job_log
from iqadistill.evaluation.contents import CrossDatasetTests
from iqadistill.evaluation.distortions import evaluate_distortions
from iqadistill.evaluation.label_only import predict_label_only
from iqadistill.evaluation.metrics import evaluate_predictions
from iqadistill.evaluation.official import evaluate_official
from iqadistill.evaluation.stability import flip_stability
from iqadistill.evaluation.summary import summarise
from iqadistill.tables import read_table, write_table
from iqadistill.training.competitors.may_have_seen import as_metadata, read_may_have_seen

with job_log(snakemake.log[0]):
    images, splits = (
        {
            name: read_table(file, kind)
            for name, file in zip(json.loads(snakemake.params[datasets]), snakemake.input[kind], strict=True)
        }
        for kind, datasets in (("images", "tested"), ("splits", "datasets"))
    )
    students = [read_table(file, "predictions") for file in snakemake.input.predictions]
    controls = [predict_label_only(images[name], splits[name]) for name in splits]
    predictions = pa.concat_tables([t.replace_schema_metadata() for t in (*students, *controls)])
    metrics = evaluate_predictions(predictions, splits, logistic=snakemake.params.logistic)
    statistics = {"logistic": snakemake.params.logistic, "draws": snakemake.params.draws, "seed": snakemake.params.seed}
    official = json.loads(snakemake.params.official)
    cross_dataset = CrossDatasetTests(predictions, splits, images, official, **statistics)
    summary = summarise(metrics, splits, official, cross_dataset=cross_dataset)
    alone = evaluate_official(predictions, splits, images, official, **statistics)
    write_table(predictions, snakemake.output.predictions, "predictions")
    facts = as_metadata(read_may_have_seen(*students))
    write_table(metrics, snakemake.output.metrics, "metrics", facts)
    write_table(summary, snakemake.output.summary, "summary", facts)
    write_table(flip_stability(predictions, splits, official), snakemake.output.stability, "stability")
    distortions = evaluate_distortions(metrics, predictions, images, splits)
    write_table(distortions, snakemake.output.distortions, "distortions")
    write_table(alone, snakemake.output.official, "official")
