"""Draw one experiment on selections: the figure and the table of its numbers."""

import json
from pathlib import Path

from iqadistill.console import job_log
from iqadistill.figures.drawing.saving import save_figure
from iqadistill.figures.selection_inputs import SelectionInputs
from iqadistill.figures.selection_plots import PLOTS

with job_log(snakemake.log[0]):
    experiment = json.loads(snakemake.params.experiment)
    figure, table = PLOTS[experiment["figure"]](SelectionInputs(Path("results"), experiment))
    stems = (Path(snakemake.output[file]).with_suffix("") for file in ("svg", "csv"))
    save_figure(figure, table, *stems)
