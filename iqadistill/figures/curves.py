"""Training loss, its parts and validation SRCC over epochs."""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from iqadistill.errors import InputError
from iqadistill.figures.drawing.dots import COLORS, MARKERS
from iqadistill.figures.drawing.style import GREY, INK, new_figure, styled, with_note
from iqadistill.figures.drawing.variants import ALL, PANEL, in_panel, panels
from iqadistill.figures.inputs import MetricInputs
from iqadistill.figures.registry import FigureSpec

FIGURE = FigureSpec(
    title="Curves over epochs",
    caption=(
        "Training loss with its weighted parts, and SRCC on the validation images, over the epochs of every student "
        "trained on all patches: mean over its splits, with the range from lowest to highest. Without validation "
        "images (evaluation.val_fraction: 0) there is no SRCC. Signatures of failure (a loss that does not fall, an "
        "auxiliary part that dominates, overfitting) are among the report's caveats and notes."
    ),
    alt="Line charts of the training loss and its parts, and of the validation SRCC, against the epoch.",
    reads="metrics",
    rates="none",
    students="trained",
    histories=True,
)

TOTAL, VALIDATION = "loss", "val_srcc"
STUDENT = [*PANEL, "student"]


def draw(inputs: MetricInputs) -> tuple[Figure, pd.DataFrame]:
    """Draw the figure of an experiment."""
    return plot_curves(inputs.histories, inputs.experiment.students, inputs.notes)


@styled
def plot_curves(
    histories: pd.DataFrame, students: Sequence[str], notes: Mapping[str, str] | None = None
) -> tuple[Figure, pd.DataFrame]:
    """Draw loss, parts of the loss and validation SRCC over epochs; one row per dataset, sampler, encoder and student.

    Args:
        histories: Tables "history" with a column `dataset`.
        students: Names of the students from top to bottom.
        notes: Note of a dataset by its name.

    Returns:
        The figure, and a table with one row per student, epoch and quantity (`loss`, `val_srcc`, or the name of a
        part): mean, lowest and highest value over the splits.

    Raises:
        InputError: No student of the experiment was trained on all patches.
    """
    notes = notes or {}
    rows = histories[(histories.selector == ALL) & histories.student.isin(students)]
    if rows.empty:
        raise InputError("history: no rows of these students on all patches; run the training stages first.")
    table = _over_splits(rows)
    shown = [
        (panel, student)
        for panel in panels(rows)
        for student in students
        if not in_panel(table, panel, student=student).empty
    ]
    figure = new_figure(8.6, 0.3 + 2.3 * len(shown))
    grid = figure.subplots(len(shown), 2, squeeze=False)
    for (loss_axes, srcc_axes), (panel, student) in zip(grid, shown, strict=True):
        curves = in_panel(table, panel, student=student)
        _draw_loss(loss_axes, curves)
        _draw_validation(srcc_axes, curves[curves.quantity == VALIDATION])
        dataset, sampler, encoder = panel
        splits = curves.splits.max()
        title = f"{student} on {with_note(dataset, notes)}, {sampler}, {encoder}"
        loss_axes.set_title(f"{title} ({splits} {'split' if splits == 1 else 'splits'})", loc="left", fontweight="bold")
        for axes in (loss_axes, srcc_axes):
            axes.xaxis.set_major_locator(MaxNLocator(6, integer=True))
            axes.set_xlabel("epoch")
            axes.grid(axis="y")
    return figure, table


def _over_splits(rows: pd.DataFrame) -> pd.DataFrame:
    """Mean, lowest and highest value of each quantity over the splits, by student and epoch."""
    names = [*STUDENT, "epoch"]
    parts = [dict(parts) if parts is not None else {} for parts in rows.parts]
    wide = pd.concat([rows[[*names, TOTAL, VALIDATION]], pd.DataFrame(parts, index=rows.index)], axis=1)
    long = wide.melt(names, var_name="quantity").dropna(subset=["value"])
    groups = long.groupby([*names, "quantity"], sort=False).value
    table = groups.agg(mean="mean", low="min", high="max", splits="size").reset_index()
    return table.sort_values([*STUDENT, "quantity", "epoch"], kind="stable", ignore_index=True)


def _draw_loss(axes: Axes, curves: pd.DataFrame) -> None:
    parts = [name for name in dict.fromkeys(curves.quantity) if name not in (TOTAL, VALIDATION)]
    for position, name in enumerate(parts):
        color, marker = COLORS[position % len(COLORS)], MARKERS[position % len(MARKERS)]
        _draw_curve(axes, curves[curves.quantity == name], color, marker, name.replace("_", " "))
    _draw_curve(axes, curves[curves.quantity == TOTAL], INK, "h", "sum" if parts else "loss")
    axes.set_ylim(bottom=min(0.0, float(curves[curves.quantity != VALIDATION].low.min())))
    axes.set_ylabel("training loss")
    if parts:
        axes.legend(loc="best", fontsize=7.5, handlelength=1.6, frameon=True, framealpha=0.85, edgecolor="none")


def _draw_validation(axes: Axes, curve: pd.DataFrame) -> None:
    if curve.empty:
        axes.text(0.5, 0.5, "no validation images", transform=axes.transAxes, ha="center", va="center", color=GREY)
        axes.set_axis_off()
        return
    axes.set_ylabel("validation SRCC")
    _draw_curve(axes, curve, COLORS[0], "o", "")


def _draw_curve(axes: Axes, curve: pd.DataFrame, color: str, marker: str, label: str) -> None:
    axes.fill_between(curve.epoch, curve.low, curve.high, color=color, alpha=0.15, linewidth=0)
    size = np.clip(30 / len(curve), 0, 4)  # dots merge into the line where there are many epochs
    axes.plot(curve.epoch, curve["mean"], color=color, marker=marker, markersize=size, label=label)
