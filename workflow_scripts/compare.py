"""Test variants in pairs on the same splits, corrected for shared training data and for the number of tests."""

import json

from iqadistill.console import job_log
from iqadistill.evaluation.comparisons import compare_variants
from iqadistill.tables import read_table, write_table
from iqadistill.training.competitors.may_have_seen import read_may_have_seen

with job_log(snakemake.log[0]):
    datasets = json.loads(snakemake.params.datasets)
    splits = {name: read_table(file, "splits") for name, file in zip(datasets, snakemake.input.splits, strict=True)}
    metrics = read_table(snakemake.input.metrics, "metrics")
    official = json.loads(snakemake.params.official)
    comparisons = compare_variants(metrics, splits, official, untested=read_may_have_seen(metrics))
    write_table(comparisons, snakemake.output.comparisons, "comparisons")
