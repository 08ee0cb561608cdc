"""Accuracy within each type of distortion."""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from iqadistill.evaluation.distortions import ALL_TYPES
from iqadistill.figures.drawing.dots import COLORS, MARKERS, dot
from iqadistill.figures.drawing.style import GREY, METRIC_LABELS, panel_grid, panel_title, shared_legend, styled
from iqadistill.figures.drawing.variants import ALL, PANEL, in_panel, panels, trained
from iqadistill.figures.inputs import MetricInputs
from iqadistill.figures.registry import FigureSpec

FIGURE = FigureSpec(
    title="Accuracy within each type of distortion",
    caption=(
        "SRCC on the test images of each type of distortion, median and quartiles over the splits; at the top, on all "
        "test images. In brackets, the number of test images of a type in a split"
        "{% if table is not none and table.type.any() %}, "
        "here {{ table[table.type].images.min() }} to {{ table[table.type].most_images.max() }}{% endif %}. A type "
        "is undefined in a split with fewer than 10 test images of it or with constant scores or predictions; the "
        "figure says where that leaves fewer splits, or none. Students are trained on all patches unless a selector "
        "is named."
    ),
    alt="Dot chart of SRCC for each type of distortion and for all test images: a dot with quartiles for each student.",
    reads="metrics",
    rates="at_most_one",
    distortions=True,
)

MIN_IMAGES = 10  # with fewer, a rank correlation is mostly chance
POOLED = "all test images"
SERIES = ["student", "selector", "keep"]
KEY = ["train_dataset", *PANEL, *SERIES, "teacher", "distortion"]


def draw(inputs: MetricInputs) -> tuple[Figure, pd.DataFrame]:
    """Draw the figure of an experiment."""
    rows = inputs.distortions
    if not inputs.experiment.selectors:
        rows = rows[rows.selector == ALL]  # not the controls of other experiments
    return plot_distortions(rows, inputs.experiment.students, inputs.notes)


@styled
def plot_distortions(
    distortions: pd.DataFrame, students: Sequence[str], notes: Mapping[str, str] | None = None
) -> tuple[Figure, pd.DataFrame]:
    """Draw the SRCC of every student within each type of distortion, one panel per dataset, sampler and encoder.

    Args:
        distortions: Rows of table "distortions".
        students: Names of the students, in the order of the legend.
        notes: Note of a dataset by its name.

    Returns:
        The figure, and a table with one row per panel, student, selector, keep rate and type: median and quartiles
        (`low`, `high`) of SRCC, the number of `splits` in which it is defined, the smallest and largest number of test
        images in a split (`images`, `most_images`), why it is `undefined` in some or all splits, and whether the row
        is of a `type` and not of all test images.

    Raises:
        InputError: There are no rows of a student tested on its training dataset.
    """
    notes = notes or {}
    table = _over_splits(trained(distortions), students)
    series = list(table[SERIES].drop_duplicates().itertuples(index=False, name=None))
    labels = _labels(series)
    shown = panels(table)
    types = {panel: list(dict.fromkeys(in_panel(table, panel).distortion)) for panel in shown}
    figure, grid = panel_grid(len(shown), 4.4, 0.8 + max(map(len, types.values())) * (0.16 + 0.07 * len(series)))
    for axes, panel in zip(grid, shown, strict=True):
        rows = in_panel(table, panel)
        for order, one_series in enumerate(series):
            of_series = rows[(rows[SERIES] == list(one_series)).all(axis=1)]
            shift = (order - (len(series) - 1) / 2) * 0.8 / len(series)
            color, marker = COLORS[order % len(COLORS)], MARKERS[order % len(MARKERS)]
            for row in of_series.itertuples():
                y = types[panel].index(row.distortion) + shift
                _draw_row(axes, y, of_series.loc[row.Index], color, marker, labels[one_series])
        axes.set_yticks(range(len(types[panel])), [_tick(rows[rows.distortion == name]) for name in types[panel]])
        axes.set_ylim(len(types[panel]) - 0.5, -0.5)
        axes.axhline(0.5, color=GREY, linewidth=0.7)
        axes.grid(axis="x")
        axes.tick_params(axis="y", length=0)
        axes.set_xlabel(METRIC_LABELS["srcc"])
        axes.set_title(panel_title(panel, notes))
        if not rows.type.any():
            axes.set_title(f"{panel_title(panel, notes)}\nno types of distortion in the labels")
    shared_legend(figure)
    return figure, table


def _over_splits(rows: pd.DataFrame, students: Sequence[str]) -> pd.DataFrame:
    """Median and quartiles over the splits, undefined values left out and accounted for."""
    of_type = rows.distortion != ALL_TYPES
    few = of_type & (rows.images < MIN_IMAGES)
    groups = rows.assign(srcc=rows.srcc.mask(few), few=few, type=of_type).groupby(KEY, sort=False)
    table = groups.agg(
        median=("srcc", "median"),
        low=("srcc", lambda values: values.quantile(0.25)),
        high=("srcc", lambda values: values.quantile(0.75)),
        splits=("srcc", "count"),
        all_splits=("srcc", "size"),
        images=("images", "min"),
        most_images=("images", "max"),
        few=("few", "any"),
        type=("type", "first"),
    ).reset_index()
    reason = table.few.map({True: f"fewer than {MIN_IMAGES} test images", False: "constant scores or predictions"})
    left_out = (table.all_splits - table.splits).astype(str) + " of " + table.all_splits.astype(str) + " splits"
    table["undefined"] = np.where(table.splits < table.all_splits, reason + " in " + left_out, "")
    order = {name: position for position, name in enumerate(students)}
    table = table.assign(order=table.student.map(order), panel=table.groupby(PANEL, sort=False).ngroup())
    table = table.sort_values(["panel", "type", "distortion", "order"], kind="stable", ignore_index=True)
    table["distortion"] = table.distortion.where(table.type, POOLED)
    return table.drop(columns=["few", "all_splits", "order", "panel"])


def _labels(series: Sequence[tuple[str, str, float]]) -> dict[tuple[str, str, float], str]:
    """Label of each student, with its patches if some were selected."""
    if all(selector == ALL for _, selector, _ in series):
        return {one: one[0] for one in series}
    patches = {one: "all patches" if one[1] == ALL else f"{one[1]} at keep {one[2]:g}" for one in series}
    return {one: f"{one[0]}: {patches[one]}" for one in series}


def _draw_row(axes: Axes, y: float, row: pd.Series, color: str, marker: str, label: str) -> None:
    """Draw a median with its quartiles, or why there is none."""
    if row.splits:
        dot(axes, y, row, color, marker, label, upright=False, level="median")
    else:
        text, at = f"undefined: {row.undefined}", (0.01, y)
        axes.annotate(text, at, xycoords=("axes fraction", "data"), va="center", color=color, fontsize=6)


def _tick(rows: pd.DataFrame) -> str:
    """Name of a type with its number of test images in a split, and of splits where some are left out."""
    fewest, most = rows.images.min(), rows.most_images.max()
    count = f"{fewest}" if fewest == most else f"{fewest} to {most}"
    partly = rows[(rows.undefined != "") & (rows.splits > 0)]
    count += f"; defined in {partly.splits.min()} splits" if len(partly) else ""
    return f"{rows.distortion.iloc[0].replace('_', ' ')} ({count})"
