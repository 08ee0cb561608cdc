"""Students, or variants of one student in an ablation, compared on all patches."""

from collections.abc import Collection, Mapping, Sequence

import pandas as pd
from matplotlib.figure import Figure

from iqadistill.figures.drawing.differences import difference_text, differences_to_first
from iqadistill.figures.drawing.dots import COLORS, MARKERS, dot
from iqadistill.figures.drawing.style import GREY, METRIC_LABELS, new_figure, styled, with_note
from iqadistill.figures.drawing.variants import ALL, PANEL, trained
from iqadistill.figures.inputs import MetricInputs
from iqadistill.figures.registry import FigureSpec
from iqadistill.figures.rows import MIN_SPLITS, student_pairs

FIGURE = FigureSpec(
    title="Students compared",
    caption=(
        "SRCC and PLCC of every student trained on all patches: mean over its splits (of Fisher's z); bars: "
        "{{ intervals }}; on the right, the paired difference to the first student on the splits that both have, with "
        "its interval and its verdict (exploratory: both corrected over all pairs of students of a dataset and metric, "
        "margin {{ study.evaluation.margin }}). Fewer than five splits are an illustration, not evidence. "
        "Students on whole images are the same for every sampler. Grey: one model for all splits, which may have seen "
        "the test images and is in no test. No PLCC where a tool gave no predictions for training images."
    ),
    alt="Dot chart of SRCC and PLCC for each student, with paired differences to the first on the right.",
    reads="metrics",
    rates="none",
)

BLOCK = ["train_dataset", *PANEL]


def draw(inputs: MetricInputs) -> tuple[Figure, pd.DataFrame]:
    """Draw the figure of an experiment."""
    return plot_students(
        inputs.summary,
        student_pairs(inputs.comparisons, inputs.experiment),
        inputs.experiment.students,
        inputs.notes,
        may_have_seen=inputs.may_have_seen,
    )


@styled
def plot_students(
    summary: pd.DataFrame,
    comparisons: pd.DataFrame,
    students: Sequence[str],
    notes: Mapping[str, str] | None = None,
    tested_on: Sequence[str] = (),
    published: pd.DataFrame | None = None,
    may_have_seen: Collection[tuple[str, str]] = (),
) -> tuple[Figure, pd.DataFrame]:
    """Draw SRCC and PLCC of every student on all patches, with its paired difference to the first.

    Dots are grouped in blocks by dataset, sampler and encoder, and with `tested_on` also by training dataset.

    Args:
        summary: Table "summary".
        comparisons: Table "comparisons"; family "students" gives differences with intervals and verdicts.
        students: Names of the students from top to bottom; the others are compared with the first.
        notes: Note of a dataset by its name.
        tested_on: Test datasets other than the training dataset; if empty, the test images of the training dataset.
        published: Published results of cross-dataset tests, from `published_cross_for`; drawn in grey below the
            students of their block.
        may_have_seen: Pairs of dataset and student that are drawn in grey below the others of their block.

    Returns:
        The figure, and a table with one row per block, student and metric with the difference to the first student;
        published results follow, with the method as student, their number as median, and without interval and splits.

    Raises:
        InputError: There are no rows of a student tested on its training dataset.
    """
    notes = notes or {}
    rows = summary[summary.train_dataset != summary.dataset] if tested_on else trained(summary)
    rows = rows[(rows.selector == ALL) & rows.metric.isin(["srcc", "plcc"]) & rows.student.isin(students)]
    key = [*BLOCK, "student", "metric"]
    pairs = comparisons[comparisons.family == "students"]
    table = rows.merge(differences_to_first(pairs, "student", students[0], key), on=key, how="left")
    order = {name: position for position, name in enumerate(students)}
    seen = pd.MultiIndex.from_frame(table[["dataset", "student"]]).isin(list(may_have_seen))
    table = table.assign(order=table.student.map(order), may_have_seen=seen)
    table = table.sort_values([*BLOCK, "may_have_seen", "order"], kind="stable")
    if published is not None:
        table = pd.concat([table, _published_rows(published, table)], ignore_index=True)
    blocks = list(table[BLOCK].drop_duplicates().itertuples(index=False, name=None))
    heights = [table[(table[BLOCK] == list(block)).all(axis=1)].student.nunique() + 1.0 for block in blocks]
    figure = new_figure(11.2, 0.6 + sum(0.27 * height + 0.42 for height in heights))
    grid = figure.subplots(len(blocks), 2, sharey="row", squeeze=False, height_ratios=heights)
    for axes_row, block in zip(grid, blocks, strict=True):
        in_block = table[(table[BLOCK] == list(block)).all(axis=1)]
        names = list(dict.fromkeys(in_block.student))
        for axes, metric in zip(axes_row, ["srcc", "plcc"], strict=True):
            axes.grid(axis="x")
            for _, row in in_block[in_block.metric == metric].iterrows():
                y = names.index(row.student)
                if row.student not in order:
                    axes.plot(row["median"], y, color=GREY, marker="d", fillstyle="none", linestyle="none")
                    continue
                index = order[row.student]
                color = GREY if row.may_have_seen else COLORS[index % len(COLORS)]
                dot(axes, y, row, color, MARKERS[index % len(MARKERS)], upright=False)
                if words := difference_text(row):
                    axes.annotate(words, (1.02, y), xycoords=("axes fraction", "data"), fontsize=7, va="center")
            axes.set_ylim(len(names) - 0.4, -0.6)
            axes.set_xlabel(METRIC_LABELS[metric])
            axes.spines["left"].set_visible(False)
            axes.tick_params(axis="y", length=0)
        axes_row[0].set_yticks(range(len(names)), [_label(name, in_block) for name in names])
        train_dataset, dataset, sampler, _ = block
        title = f"{with_note(dataset, notes)}, {sampler}"
        if tested_on:  # the sampler is that of the training: the tested dataset may have one of its own
            title = f"{with_note(dataset, notes)}, trained on {with_note(train_dataset, notes)} ({sampler})"
        axes_row[0].set_title(title, loc="left", fontweight="bold", fontsize=9.5)
    return figure, table.drop(columns="order").reset_index(drop=True)


def _published_rows(published: pd.DataFrame, table: pd.DataFrame) -> pd.DataFrame:
    """Published results as rows of the table, once for each block with their training and test dataset."""
    named = published.assign(student=published.method + " (published)", median=published.value, may_have_seen=False)
    columns = ["train_dataset", "dataset", "student", "metric", "median", "may_have_seen"]
    return named[columns].merge(table[BLOCK].drop_duplicates(), on=["train_dataset", "dataset"])


def _label(student: str, rows: pd.DataFrame) -> str:
    """Tick label of a student, with its number of splits if others in the block have more."""
    in_block = rows[rows.student == student]
    if in_block.may_have_seen.any():
        return f"{student}\n(may have seen these images)"
    splits = in_block.splits.max()
    if pd.isna(splits):
        return student
    splits = int(splits)
    if splits < MIN_SPLITS:
        return f"{student}\n(illustration: {splits} split{'s' if splits > 1 else ''})"
    return student if splits == rows.splits.max() else f"{student}\n({splits} splits)"
