"""Draw one experiment on local damage: the figure and the table of its numbers."""

from pathlib import Path

from iqadistill.console import job_log
from iqadistill.figures.drawing.saving import save_figure
from iqadistill.figures.experiment import Experiment
from iqadistill.figures.inputs import DamageInputs
from iqadistill.figures.registry import FIGURES

with job_log(snakemake.log[0]):
    experiment = Experiment.model_validate_json(snakemake.params.experiment)
    files = snakemake.input
    inputs = DamageInputs.of(experiment, files.damage, files.damaged_patches, list(files.images), list(files.patches))
    figure, table = FIGURES.draw(experiment.figure, inputs)
    stems = (Path(snakemake.output[file]).with_suffix("") for file in ("svg", "csv"))
    save_figure(figure, table, *stems)
