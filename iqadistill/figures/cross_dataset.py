"""Students trained on one dataset and tested on others."""

import pandas as pd
from matplotlib.figure import Figure

from iqadistill.figures.inputs import MetricInputs
from iqadistill.figures.registry import FigureSpec
from iqadistill.figures.students import plot_students

FIGURE = FigureSpec(
    title="Trained here, tested there",
    caption=(
        "SRCC and PLCC of students trained on all patches of one dataset and tested on every image of "
        "another: median over the splits they were trained on and 95 % bootstrap interval over splits and "
        "images; at the right the paired difference to the first student with its p, Holm-corrected over the "
        "differences shown, which holds for these images, whatever the split trained on. Before PLCC, "
        "predictions go through the logistic fitted on the training images of the dataset trained on."
    ),
    alt="Dot chart of SRCC and PLCC for each student on datasets it was not trained on.",
    reads="metrics",
    rates="none",
    students="pixels",
)


def draw(inputs: MetricInputs) -> tuple[Figure, pd.DataFrame]:
    """Draw the experiment."""
    experiment = inputs.experiment
    return plot_students(
        inputs.crossed, inputs.comparisons, experiment.students, inputs.notes, tested_on=experiment.tested_on
    )
