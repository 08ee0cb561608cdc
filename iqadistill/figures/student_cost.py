"""What the accuracy of deep students costs."""

from collections.abc import Mapping, Sequence

import pandas as pd
from matplotlib.figure import Figure

from iqadistill.errors import InputError
from iqadistill.figures.drawing.dots import COLORS, MARKERS, interval_bars
from iqadistill.figures.drawing.style import METRIC_LABELS, new_figure, panel_title, styled
from iqadistill.figures.drawing.variants import ALL, PANEL, in_panel, panels, trained
from iqadistill.figures.inputs import MetricInputs
from iqadistill.figures.registry import FigureSpec
from iqadistill.figures.rows import student_costs

FIGURE = FigureSpec(
    title="Accuracy against cost",
    caption=(
        "Median SRCC with its 95 % interval of every deep student trained on all patches, against the work of "
        "scoring one patch (a multiply-add counts as two operations), its parameters at scoring, the time a "
        "split's training took, its teachers' included, and the most memory that it or a teacher's training "
        "held, of the graphics card where one was used and else of the process, all on the machine that made "
        "this report."
    ),
    alt=(
        "Scatter charts of SRCC against operations, parameters, training minutes and memory, one dot with "
        "interval for each student."
    ),
    reads="metrics",
    rates="none",
    students="pixels",
)

AXES = {
    "gigaflops": "GFLOP a patch, scoring",
    "millions": "million parameters, scoring",
    "total_minutes": "minutes of training a split",
    "gigabytes": "peak memory of training, GB",
}


def draw(inputs: MetricInputs) -> tuple[Figure, pd.DataFrame]:
    """Draw the experiment."""
    costs = student_costs(inputs.histories, inputs.costs)
    return plot_student_cost(inputs.summary, costs, inputs.experiment.students, inputs.notes)


@styled
def plot_student_cost(
    summary: pd.DataFrame, costs: pd.DataFrame, students: Sequence[str], notes: Mapping[str, str] | None = None
) -> tuple[Figure, pd.DataFrame]:
    """Draw SRCC against work, size, training time and memory of every deep student on all patches; a row a dataset x sampler x encoder.

    Args:
        summary: Table "summary".
        costs: A row a student: dataset, sampler, encoder, student, and the columns of `AXES`.
        students: Names, in the order of the legend; those without costs are left out.
        notes: Dataset -> words that stand beside its name.

    Returns:
        The figure, and the summary's rows with their costs.

    Raises:
        InputError: No student has costs.
    """
    notes = notes or {}
    rows = trained(summary)
    rows = rows[(rows.selector == ALL) & (rows.metric == "srcc") & rows.student.isin(students)]
    table = rows.merge(costs, on=[*PANEL, "student"]).reset_index(drop=True)
    if table.empty:
        raise InputError("costs: none belongs to a deep student of this experiment; name one under students.")
    names = [name for name in students if name in set(table.student)]
    shown = panels(table)
    reach = table[list(AXES)].max()
    figure = new_figure(12.6, 0.5 + 0.18 * len(names) + 2.7 * len(shown))
    for line, panel in zip(figure.subplots(len(shown), len(AXES), squeeze=False, sharey="row"), shown, strict=True):
        for axes, (column, label) in zip(line, AXES.items(), strict=True):
            for place, name in enumerate(names):
                here = in_panel(table, panel, student=name)
                look = {"color": COLORS[place % len(COLORS)], "marker": MARKERS[place // len(COLORS) % len(MARKERS)]}
                aside = 0.012 * (place - (len(names) - 1) / 2) * reach[column]  # students of one cost stay apart
                axes.errorbar(
                    here[column] + aside,
                    here["median"],
                    interval_bars(here),
                    linestyle="none",
                    capsize=2,
                    label=name,
                    **look,
                )
            axes.set(xlabel=label)
            axes.set_xlim(0, 1.12 * reach[column])
            axes.grid()
        line[0].set(ylabel=METRIC_LABELS["srcc"])
        line[0].set_title(panel_title(panel, notes), loc="left")
    figure.legend(*figure.axes[0].get_legend_handles_labels(), loc="outside lower center", ncols=3)
    return figure, table
