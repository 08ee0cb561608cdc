"""Students side by side, or variants of one student: the figure of every ablation."""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from iqadistill.evaluation.paired import holm
from iqadistill.figures.drawing.dots import COLORS, MARKERS, dot
from iqadistill.figures.drawing.style import METRIC_LABELS, new_figure, p_text, styled, titled
from iqadistill.figures.drawing.variants import ALL, PANEL, trained
from iqadistill.figures.inputs import MetricInputs
from iqadistill.figures.registry import FigureSpec

FIGURE = FigureSpec(
    title="Students compared",
    caption=(
        "SRCC and PLCC of every student trained on all patches, median and 95 % interval over its splits; at "
        "the right the paired difference to the first student on the splits both have, with its p, "
        "Holm-corrected over the differences shown. Fewer than five splits are an illustration, no evidence."
    ),
    alt=("Dot chart of SRCC and PLCC for each student, with paired differences to the first written at the right."),
    reads="metrics",
    rates="none",
)

BLOCK = ["train_dataset", *PANEL]
EVIDENCE = 5  # splits; fewer are an illustration


def draw(inputs: MetricInputs) -> tuple[Figure, pd.DataFrame]:
    """Draw the experiment."""
    return plot_students(inputs.summary, inputs.comparisons, inputs.experiment.students, inputs.notes)


@styled
def plot_students(
    summary: pd.DataFrame,
    comparisons: pd.DataFrame,
    students: Sequence[str],
    notes: Mapping[str, str] | None = None,
    tested_on: Sequence[str] = (),
) -> tuple[Figure, pd.DataFrame]:
    """Draw SRCC and PLCC of every student on all patches, with its paired difference to the first.

    A block of dots is a dataset x sampler x encoder, or, where `tested_on` names datasets, one they were trained on x one of these.

    Args:
        summary: Table "summary".
        comparisons: Table "comparisons"; family "students" gives differences and p values.
        students: Names, from top to bottom; the first is what the others are compared with.
        notes: Dataset -> words that stand beside its name.
        tested_on: Other datasets than that of training; none for the training dataset's own test images.

    Returns:
        The figure, and a row for each block x student x metric with the difference to the first student.

    Raises:
        InputError: No row belongs to a trained student.
    """
    notes = notes or {}
    rows = summary[summary.train_dataset != summary.dataset] if tested_on else trained(summary)
    rows = rows[(rows.selector == ALL) & rows.metric.isin(["srcc", "plcc"]) & rows.student.isin(students)]
    table = rows.merge(_against(comparisons, students[0]), on=[*BLOCK, "student", "metric"], how="left")
    table["p_holm"] = table.groupby([*BLOCK, "metric"]).p.transform(_holm)
    order = {name: place for place, name in enumerate(students)}
    table = table.assign(order=table.student.map(order)).sort_values([*BLOCK, "order"], kind="stable")
    blocks = list(table[BLOCK].drop_duplicates().itertuples(index=False, name=None))
    heights = [table[(table[BLOCK] == list(block)).all(axis=1)].student.nunique() + 1.0 for block in blocks]
    figure = new_figure(9.6, 0.6 + sum(0.27 * height + 0.42 for height in heights))
    grid = figure.subplots(len(blocks), 2, sharey="row", squeeze=False, height_ratios=heights)
    for line, block in zip(grid, blocks, strict=True):
        here = table[(table[BLOCK] == list(block)).all(axis=1)]
        names = list(dict.fromkeys(here.student))
        for axes, metric in zip(line, ["srcc", "plcc"], strict=True):
            axes.grid(axis="x")
            for _, row in here[here.metric == metric].iterrows():
                place, look = names.index(row.student), order[row.student]
                dot(axes, place, row, COLORS[look % len(COLORS)], MARKERS[look % len(MARKERS)], upright=False)
                if np.isfinite(row.delta_first):
                    axes.annotate(
                        _difference(row), (1.02, place), xycoords=("axes fraction", "data"), fontsize=7.5, va="center"
                    )
            axes.set_ylim(len(names) - 0.4, -0.6)
            axes.set_xlabel(METRIC_LABELS[metric])
            axes.spines["left"].set_visible(False)
            axes.tick_params(axis="y", length=0)
        ticks = [_label(name, here) for name in names]
        line[0].set_yticks(range(len(names)), ticks)
        learnt, dataset, sampler, _ = block
        title = f"{titled(dataset, notes)}, {sampler}" + (f", trained on {titled(learnt, notes)}" if tested_on else "")
        line[0].set_title(title, loc="left", fontweight="bold", fontsize=9.5)
    return figure, table.drop(columns="order").reset_index(drop=True)


def _holm(p: pd.Series) -> pd.Series:
    """Corrected within the differences that are shown; the first student has none."""
    return pd.Series(holm(p.dropna()), index=p.dropna().index).reindex(p.index)


def _label(student: str, rows: pd.DataFrame) -> str:
    splits = int(rows[rows.student == student].splits.max())
    if splits < EVIDENCE:
        return f"{student}\n(illustration: {splits} splits)"
    return student if splits == rows.splits.max() else f"{student}\n({splits} splits)"


def _difference(row: pd.Series) -> str:
    tested = f", Holm {p_text(row.p_holm)}" if np.isfinite(row.p_holm) else ""
    return f"{row.delta_first:+.3f}{tested}"


def _against(comparisons: pd.DataFrame, first: str) -> pd.DataFrame:
    """Difference of each student to the first, whichever way round the pair was tested."""
    pairs = comparisons[comparisons.family == "students"]
    key = [*BLOCK, "student", "metric"]
    columns = [*key, "delta", "low", "high", "p"]
    forward = pairs[pairs.other_student == first][columns]
    backward = pairs[pairs.student == first].drop(columns="student").rename(columns={"other_student": "student"})
    backward = backward[columns].assign(delta=-backward.delta, low=-backward.high, high=-backward.low)
    found = pd.concat([forward, backward]).drop_duplicates(key)
    return found.rename(columns={"delta": "delta_first", "low": "delta_low", "high": "delta_high"})
