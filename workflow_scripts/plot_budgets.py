"""Draw one experiment on budgets: the figure and the table of its numbers."""

import json
from pathlib import Path

from iqadistill.console import job_log
from iqadistill.figures.drawing.saving import save_figure
from iqadistill.figures.drawing.style import dataset_note
from iqadistill.figures.experiment import Experiment
from iqadistill.figures.inputs import BudgetInputs
from iqadistill.figures.registry import FIGURES
from iqadistill.tables import read_metadata, read_table

with job_log(snakemake.log[0]):
    experiment = Experiment.model_validate_json(snakemake.params.experiment)
    datasets = json.loads(snakemake.params.datasets)
    images = zip(datasets, snakemake.input.images, strict=True)
    inputs = BudgetInputs(
        experiment,
        read_table(snakemake.input.budgets, "budgets").to_pandas(),
        read_table(snakemake.input.budget_times, "budget_times").to_pandas(),
        {name: dataset_note(read_metadata(read_table(file, "images"))) for name, file in images},
    )
    figure, table = FIGURES.draw(experiment.figure, inputs)
    stems = (Path(snakemake.output[file]).with_suffix("") for file in ("svg", "csv"))
    save_figure(figure, table, *stems)
