"""Write the study's report: one page that opens from disk."""

import json
from pathlib import Path

import pandas as pd

from iqadistill.console import job_log
from iqadistill.datasets.uneven_test_sets import read_uneven
from iqadistill.evaluation.published import published_cross_for, published_for
from iqadistill.evaluation.random_splits import over_random_splits
from iqadistill.figures.experiment import Experiment
from iqadistill.provenance import git_commit, package_versions
from iqadistill.report.figure_tables import convergence_notes, table_of
from iqadistill.report.mapping import mapping_warnings
from iqadistill.report.page import Report, ReportFigure, dataset_facts, render_report
from iqadistill.report.summary import write_summary
from iqadistill.report.undefined import undefined_warnings
from iqadistill.tables import read_table
from iqadistill.training.competitors.may_have_seen import read_may_have_seen

with job_log(snakemake.log[0]):
    study = json.loads(snakemake.params.study)
    sources = {name: study["datasets"][name]["source"] for name in json.loads(snakemake.params.datasets)}
    folder = Path(snakemake.output.page).parent.parent
    experiments = map(Experiment.model_validate, json.loads(snakemake.params.experiments))
    figures = tuple(ReportFigure.of(experiment, folder) for experiment in experiments)
    metrics = read_table(snakemake.input.metrics, "metrics").to_pandas()
    warnings = undefined_warnings(over_random_splits(metrics, json.loads(snakemake.params.official)))
    notes = [*convergence_notes(figures), *mapping_warnings(metrics)]
    for name, file in zip(json.loads(snakemake.params.trained), snakemake.input.splits, strict=True):
        uneven = read_uneven(read_table(file, "splits"))
        notes += [f"{name}: {uneven}"] if uneven else []
    summary = read_table(snakemake.input.summary, "summary")
    histories = pd.concat([read_table(file, "history").to_pandas() for file in snakemake.input.histories])
    versions = {package: version for package, version in package_versions().items() if version != "absent"}
    report = Report(
        title=study["title"] or study["name"],
        study=study,
        datasets=tuple(dataset_facts(read_table(file, "images")) for file in snakemake.input.images),
        figures=figures,
        summary=summary.to_pandas(),
        may_have_seen=read_may_have_seen(summary),
        comparisons=read_table(snakemake.input.comparisons, "comparisons").to_pandas(),
        verdicts=read_table(snakemake.input.verdicts, "verdicts").to_pandas(),
        costs=read_table(snakemake.input.costs, "costs").to_pandas(),
        histories=over_random_splits(histories, json.loads(snakemake.params.official)),
        stability=read_table(snakemake.input.stability, "stability").to_pandas(),
        official=read_table(snakemake.input.official, "official").to_pandas(),
        published=published_for(set(sources.values())),
        published_cross=published_cross_for(sources),
        sources=sources,
        provenance={"seed": str(study["seed"]), "git commit": git_commit(Path.cwd()), **versions},
        budgets=table_of(figures, "budget"),
        ratings=table_of(figures, "label_efficiency"),
        warnings=tuple(warnings),
        notes=tuple(notes),
    )
    render_report(report, Path(snakemake.output.page))
    write_summary(report, Path(snakemake.output.summary))
