"""Decide the primary comparisons, and test all other pairs of variants on the same splits."""

import json

from iqadistill.console import job_log
from iqadistill.evaluation.comparisons import compare_variants
from iqadistill.evaluation.primaries import decide_primaries
from iqadistill.tables import read_table, write_table
from iqadistill.training.competitors.may_have_seen import read_may_have_seen

with job_log(snakemake.log[0]):
    params, files = snakemake.params, snakemake.input
    datasets, official = json.loads(params.datasets), json.loads(params.official)
    images, splits = (
        {name: read_table(file, kind) for name, file in zip(datasets, files[kind], strict=True)}
        for kind in ("images", "splits")
    )
    metrics = read_table(files.metrics, "metrics")
    untested = read_may_have_seen(metrics)
    comparisons = compare_variants(metrics, splits, official, untested=untested, margin=params.margin)
    verdicts = decide_primaries(
        json.loads(params.primary),
        metrics,
        read_table(files.predictions, "predictions"),
        [read_table(file, "draws") for file in files.draws],
        images,
        splits,
        official,
        margin=params.margin,
        untested=untested,
    )
    write_table(comparisons, snakemake.output.comparisons, "comparisons")
    write_table(verdicts, snakemake.output.verdicts, "verdicts")
