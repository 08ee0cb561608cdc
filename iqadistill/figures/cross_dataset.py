"""Students trained on one dataset and tested on others."""

import pandas as pd
from matplotlib.figure import Figure

from iqadistill.evaluation.published import published_cross_for
from iqadistill.figures.inputs import MetricInputs
from iqadistill.figures.registry import FigureSpec
from iqadistill.figures.students import plot_students

FIGURE = FigureSpec(
    title="Cross-dataset evaluation",
    caption=(
        "SRCC and PLCC of students trained on all patches of one dataset and tested on all images of another: "
        "mean over the trainings (of Fisher's z) and 95 % interval over the contents of the tested images; on the "
        "right, the paired difference to the first student with such an interval. Intervals hold for these trainings; "
        "there is no p, because the trainings share most of their images. PLCC is computed after the logistic fitted "
        "on the training images of the training dataset. Grey: published numbers, from other splits than ours (those "
        "of DEIQT are medians)."
    ),
    alt="Dot chart of SRCC and PLCC of each student on datasets other than its training dataset.",
    reads="metrics",
    rates="none",
    students="pixels",
)


def draw(inputs: MetricInputs) -> tuple[Figure, pd.DataFrame]:
    """Draw the figure of an experiment."""
    experiment = inputs.experiment
    return plot_students(
        inputs.cross_dataset,
        inputs.comparisons,
        experiment.students,
        inputs.notes,
        tested_on=experiment.tested_on,
        published=published_cross_for(inputs.sources),
    )
