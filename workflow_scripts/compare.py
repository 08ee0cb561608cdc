"""Test variants in pairs on the same splits, corrected for shared training data and for the number of tests."""

import json

import pyarrow.compute as pc

from iqadistill.console import job_log
from iqadistill.evaluation.comparisons import compare_variants
from iqadistill.evaluation.contents import CrossDatasetTests
from iqadistill.tables import read_table, write_table
from iqadistill.training.competitors.may_have_seen import read_may_have_seen

with job_log(snakemake.log[0]):
    images, splits = (
        {
            name: read_table(file, kind)
            for name, file in zip(json.loads(snakemake.params[datasets]), snakemake.input[kind], strict=True)
        }
        for kind, datasets in (("images", "tested"), ("splits", "datasets"))
    )
    metrics = read_table(snakemake.input.metrics, "metrics")
    official = json.loads(snakemake.params.official)
    statistics = {"logistic": snakemake.params.logistic, "draws": snakemake.params.draws, "seed": snakemake.params.seed}
    cross_dataset = None
    if pc.any(pc.not_equal(metrics["dataset"], metrics["train_dataset"])).as_py():  # predictions are many
        predictions = read_table(snakemake.input.predictions, "predictions")
        cross_dataset = CrossDatasetTests(predictions, splits, images, official, **statistics)
    untested = read_may_have_seen(metrics)
    comparisons = compare_variants(metrics, splits, official, untested=untested, cross_dataset=cross_dataset)
    write_table(comparisons, snakemake.output.comparisons, "comparisons")
