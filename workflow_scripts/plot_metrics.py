"""Draw one experiment on metrics: the figure and the table of its numbers."""

import json
from pathlib import Path

import pandas as pd

from iqadistill.console import job_log
from iqadistill.evaluation.label_efficiency import label_efficiency
from iqadistill.evaluation.random_splits import over_random_splits
from iqadistill.figures.drawing.saving import save_figure
from iqadistill.figures.drawing.style import dataset_note
from iqadistill.figures.experiment import Experiment
from iqadistill.figures.inputs import MetricInputs
from iqadistill.figures.registry import FIGURES
from iqadistill.tables import SCHEMAS, read_metadata, read_table
from iqadistill.training.competitors.may_have_seen import read_may_have_seen

with job_log(snakemake.log[0]):
    experiment = Experiment.model_validate_json(snakemake.params.experiment)
    datasets = json.loads(snakemake.params.datasets)
    images = {name: read_table(file, "images") for name, file in zip(datasets, snakemake.input.images, strict=True)}
    facts = {name: read_metadata(table) for name, table in images.items()}
    summary = read_table(snakemake.input.summary, "summary")
    histories = [read_table(file, "history").to_pandas() for file in snakemake.input.histories]
    chosen = [read_table(file, "choices").to_pandas() for file in snakemake.input.choices]
    inputs = MetricInputs.of(
        experiment,
        summary=summary.to_pandas(),
        distortions=over_random_splits(
            read_table(snakemake.input.distortions, "distortions").to_pandas(), json.loads(snakemake.params.official)
        ),
        histories=over_random_splits(
            pd.concat(histories or [SCHEMAS["history"].empty_table().to_pandas()]),
            json.loads(snakemake.params.official),
        ),
        comparisons=read_table(snakemake.input.comparisons, "comparisons").to_pandas(),
        costs=read_table(snakemake.input.costs, "costs").to_pandas(),
        may_have_seen=read_may_have_seen(summary),
        notes={name: dataset_note(metadata) for name, metadata in facts.items()},
        sources=json.loads(snakemake.params.sources),
        label_efficiency=label_efficiency(
            pd.concat(chosen),
            {name: table.to_pandas() for name, table in images.items()},
            budgets=experiment.budgets,
            choosers=experiment.choosers,
            margin=snakemake.params.margin,
        )
        if chosen
        else None,
        ceilings={
            name: float(metadata["noise_ceiling"]) for name, metadata in facts.items() if "noise_ceiling" in metadata
        },
    )
    figure, table = FIGURES.draw(experiment.figure, inputs)
    stems = (Path(snakemake.output[file]).with_suffix("") for file in ("svg", "csv"))
    save_figure(figure, table, *stems)
