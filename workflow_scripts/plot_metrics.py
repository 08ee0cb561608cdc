"""Draw one experiment on metrics: the figure and the table of its numbers."""

import json
from pathlib import Path

import pandas as pd

from iqadistill.console import job_log
from iqadistill.figures.controls import plot_controls
from iqadistill.figures.cost import plot_cost
from iqadistill.figures.dimension import plot_dimension
from iqadistill.figures.drawing.saving import save_figure
from iqadistill.figures.drawing.style import dataset_note
from iqadistill.figures.pooling import plot_pooling
from iqadistill.figures.rate_sweep import plot_rate_sweep
from iqadistill.figures.rows import cross_rows, experiment_rows, student_costs, training_costs
from iqadistill.figures.sampler_metric import plot_sampler_metric
from iqadistill.figures.sensitivity import plot_sensitivity
from iqadistill.figures.student_cost import plot_student_cost
from iqadistill.figures.students import plot_students
from iqadistill.tables import read_metadata, read_table

PLOTS = {
    "rate_sweep": lambda: plot_rate_sweep(summary, comparisons, notes, ceilings),
    "controls": lambda: plot_controls(summary, keep, notes, ceilings),
    "pooling": lambda: plot_pooling(summary, comparisons, None, notes),
    "sampler_metric": lambda: plot_sampler_metric(summary, comparisons, experiment["selectors"], keep, notes),
    "dimension": lambda: plot_dimension(summary, comparisons, experiment["selectors"], keep, notes),
    "sensitivity": lambda: plot_sensitivity(summary, comparisons, experiment["selectors"], keep, notes),
    "students": lambda: plot_students(summary, comparisons, experiment["students"], notes),
    "cross_dataset": lambda: plot_students(
        crossed, comparisons, experiment["students"], notes, experiment["tested_on"]
    ),
    "student_cost": lambda: plot_student_cost(summary, student_costs(histories, costs), experiment["students"], notes),
    "cost": lambda: plot_cost(training_costs(histories, costs), comparisons, notes),
}

with job_log(snakemake.log[0]):
    experiment = json.loads(snakemake.params.experiment)
    keep = experiment["keep"][0]
    facts = {Path(file).stem: read_metadata(read_table(file, "images")) for file in snakemake.input.images}
    notes = {dataset: dataset_note(metadata) for dataset, metadata in facts.items()}
    ceilings = {
        name: float(metadata["noise_ceiling"]) for name, metadata in facts.items() if "noise_ceiling" in metadata
    }
    every_row = read_table(snakemake.input.summary, "summary").to_pandas()
    summary, crossed = experiment_rows(every_row, experiment), cross_rows(every_row, experiment)
    comparisons = read_table(snakemake.input.comparisons, "comparisons").to_pandas()
    costs = read_table(snakemake.input.costs, "costs").to_pandas()
    histories = pd.concat([read_table(file, "history").to_pandas() for file in snakemake.input.histories])
    histories = experiment_rows(histories.assign(dataset=histories.train_dataset), experiment)
    figure, table = PLOTS[experiment["figure"]]()
    stems = (Path(snakemake.output[file]).with_suffix("") for file in ("svg", "csv"))
    save_figure(figure, table, *stems)
