"""Draw one experiment on selections: the figure and the table of its numbers."""

from pathlib import Path

from iqadistill.console import job_log
from iqadistill.figures.drawing.saving import save_figure
from iqadistill.figures.experiment import Experiment
from iqadistill.figures.inputs import SelectionInputs
from iqadistill.figures.registry import FIGURES

with job_log(snakemake.log[0]):
    experiment = Experiment.model_validate_json(snakemake.params.experiment)
    files = {name: list(snakemake.input[name]) for name in ("images", "patches", "embeddings", "selections", "traces")}
    figure, table = FIGURES.draw(experiment.figure, SelectionInputs(experiment, **files))
    stems = (Path(snakemake.output[file]).with_suffix("") for file in ("svg", "csv"))
    save_figure(figure, table, *stems)
