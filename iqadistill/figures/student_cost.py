"""Accuracy of deep students against their cost."""

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
from iqadistill.figures.scoring_times import scoring_times

FIGURE = FigureSpec(
    title="Accuracy against cost",
    caption=(
        "SRCC of every student trained on all patches, mean over its splits (of Fisher's z), against the time of "
        "scoring an image with the number of patches below the axis, reading it included. Deep students also against "
        "the FLOPs of scoring one patch (a multiply-add counts as two), their parameters at scoring, their training "
        "time per split including that of their teachers, and the peak memory of their training or that of a teacher: "
        "GPU memory if a GPU was used, otherwise memory of the process. The time of a student on frozen embeddings "
        "includes the encoder's, that of a method on whole images its fitting. All on the machine that made this "
        "report. Bars: {{ intervals }}."
    ),
    alt=(
        "Scatter plots of SRCC against FLOPs, parameters, scoring time, training time and memory: a dot with its "
        "interval for each student."
    ),
    reads="metrics",
    rates="none",
    students="measured",
    histories=True,
)

AXES = {
    "gigaflops": "GFLOPs per patch (scoring)",
    "millions": "million parameters (scoring)",
    "milliseconds": "ms per image (scoring)",
    "total_minutes": "training minutes per split",
    "gigabytes": "peak training memory (GB)",
}


def draw(inputs: MetricInputs) -> tuple[Figure, pd.DataFrame]:
    """Draw the figure of an experiment."""
    deep = student_costs(inputs.histories, inputs.costs)
    costs = deep.merge(scoring_times(inputs.costs, inputs.experiment), on=[*PANEL, "student"], how="outer")
    return plot_student_cost(inputs.summary, costs, inputs.experiment.students, inputs.notes)


@styled
def plot_student_cost(
    summary: pd.DataFrame, costs: pd.DataFrame, students: Sequence[str], notes: Mapping[str, str] | None = None
) -> tuple[Figure, pd.DataFrame]:
    """Draw SRCC of every student on all patches against the time of scoring and, of deep ones, their other costs.

    The figure has one row of panels per dataset, sampler and encoder.

    Args:
        summary: Table "summary".
        costs: One row per student with dataset, sampler, encoder, student, the number of `patches` of an image, and
            the columns in `AXES`; costs that a student does not have are NaN.
        students: Names of the students in the order of the legend; those without costs are omitted.
        notes: Note of a dataset by its name.

    Returns:
        The figure, and the rows of the summary with their costs.

    Raises:
        InputError: No student has costs.
    """
    notes = notes or {}
    rows = trained(summary)
    rows = rows[(rows.selector == ALL) & (rows.metric == "srcc") & rows.student.isin(students)]
    table = rows.merge(costs, on=[*PANEL, "student"]).reset_index(drop=True)
    if table.empty:
        raise InputError("costs: none of a student of this experiment; name other students.")
    names = [name for name in students if name in set(table.student)]
    shown = panels(table)
    largest = table[list(AXES)].max().dropna()
    figure = new_figure(2.2 + 2.6 * len(largest), 0.5 + 0.18 * len(names) + 2.7 * len(shown))
    grid = figure.subplots(len(shown), len(largest), squeeze=False, sharey="row")
    for axes_row, panel in zip(grid, shown, strict=True):
        for axes, column in zip(axes_row, largest.index, strict=True):
            for position, name in enumerate(names):
                row = in_panel(table, panel, student=name)
                shift = 0.012 * (position - (len(names) - 1) / 2) * largest[column]  # keeps equal costs apart
                axes.errorbar(
                    row[column] + shift,
                    row["mean"],
                    interval_bars(row),
                    color=COLORS[position % len(COLORS)],
                    marker=MARKERS[position // len(COLORS) % len(MARKERS)],
                    linestyle="none",
                    capsize=2,
                    label=name,
                )
            patches = in_panel(table, panel).patches.max()
            axes.set(xlabel=AXES[column] + (f"\n{patches:g} patches" if column == "milliseconds" and patches else ""))
            axes.set_xlim(0, 1.12 * largest[column])
            axes.grid()
        axes_row[0].set(ylabel=METRIC_LABELS["srcc"])
        axes_row[0].set_title(panel_title(panel, notes), loc="left")
    figure.legend(*figure.axes[0].get_legend_handles_labels(), loc="outside lower center", ncols=3)
    return figure, table
