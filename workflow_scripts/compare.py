"""Decide the primary comparisons, and test all other pairs of variants on the same splits."""

import json

import pyarrow.compute as pc

from iqadistill.console import job_log
from iqadistill.evaluation.comparisons import compare_variants
from iqadistill.evaluation.contents import CrossDatasetTests
from iqadistill.evaluation.drawn_rankings import DrawnRankings, as_draws
from iqadistill.evaluation.primaries import decide_primaries
from iqadistill.evaluation.tested import TestedVariants
from iqadistill.table_schemas import SCHEMAS
from iqadistill.tables import read_table, write_table
from iqadistill.training.competitors.may_have_seen import read_may_have_seen

with job_log(snakemake.log[0]):
    params, files = snakemake.params, snakemake.input
    images, splits = (
        {name: read_table(file, kind) for name, file in zip(json.loads(params[datasets]), files[kind], strict=True)}
        for kind, datasets in (("images", "tested"), ("splits", "datasets"))
    )
    metrics = read_table(files.metrics, "metrics")
    official, primaries, untested = json.loads(params.official), json.loads(params.primary), read_may_have_seen(metrics)
    across = pc.any(pc.not_equal(metrics["dataset"], metrics["train_dataset"])).as_py()
    cross_dataset, predictions = None, SCHEMAS["predictions"].empty_table()
    if across or primaries or files.random:  # predictions are many
        predictions = read_table(files.predictions, "predictions")
    tested = TestedVariants(predictions, images, splits, official)
    draws = [read_table(file, "draws") for file in files.random]
    for file, number in zip(files.drawn, json.loads(params.drawn), strict=True):
        draws.append(as_draws(read_table(file, "predictions"), number))
    drawn = DrawnRankings(tested, draws)
    if across:
        statistics = {"logistic": params.logistic, "draws": params.draws, "seed": params.seed}
        cross_dataset = CrossDatasetTests(predictions, splits, images, official, **statistics)
    comparisons = compare_variants(
        metrics, splits, official, untested=untested, margin=params.margin, cross_dataset=cross_dataset, drawn=drawn
    )
    verdicts = decide_primaries(
        primaries,
        metrics,
        tested,
        drawn,
        splits,
        official,
        margin=params.margin,
        untested=untested,
    )
    write_table(comparisons, snakemake.output.comparisons, "comparisons")
    write_table(verdicts, snakemake.output.verdicts, "verdicts")
