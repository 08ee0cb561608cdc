"""Spread of every metric over splits, and accuracy over datasets of synthetic and of authentic distortions."""

from collections.abc import Collection, Mapping

import numpy as np
import pandas as pd

from iqadistill.figures.drawing.style import METRIC_LABELS
from iqadistill.figures.drawing.variants import ALL, trained, without_selection
from iqadistill.report.tables import MISSING, PageTable, number_text, page_table, student_text
from iqadistill.table_schemas import METRICS

KINDS = ("synthetic", "authentic")
GAP = 0.15  # difference of mean SRCC between kinds of datasets from which on the report warns
_STUDENT = ["sampler", "encoder", "student"]


def spread_table(summary: pd.DataFrame, may_have_seen: Collection[tuple[str, str]] = ()) -> PageTable:
    """Mean and standard deviation over splits of every metric, students on all patches or whole images.

    Args:
        summary: Table "summary".
        may_have_seen: Pairs of dataset and student of which the student may have seen the test images.
    """
    lines, marks = [], []
    for names, of_student in without_selection(summary).groupby(["dataset", *_STUDENT], sort=False):
        *variant, student = names
        seen = (names[0], student) in may_have_seen
        values = {row.metric: _with_deviation(row.mean, row.std, row.metric) for row in of_student.itertuples()}
        cells = [values.get(metric, MISSING) for metric in METRICS]
        lines.append([*variant, student_text(student, seen), *cells, str(of_student.splits.max())])
        marks.append("quiet" if seen else "")
    columns = ["dataset", *_STUDENT, *(METRIC_LABELS[metric] for metric in METRICS), "splits"]
    heading = "All metrics, all patches or whole images: mean ± standard deviation over splits"
    return page_table(heading, columns, lines, marks)


def kinds_table(summary: pd.DataFrame, kinds: Mapping[str, str]) -> PageTable:
    """Accuracy of students over datasets of synthetic and of authentic distortions.

    Args:
        summary: Table "summary".
        kinds: Kind of each dataset's distortions, "synthetic" or "authentic".

    Returns:
        One row per sampler, encoder and student that was trained on several datasets: mean and standard deviation over
        datasets of the mean SRCC over splits.
    """
    lines = []
    for names, levels in _levels(summary):
        if len(levels) > 1:
            by_kind = [levels[levels.index.map(kinds) == kind] for kind in KINDS]
            cells = [f"{_mean(part)} ({', '.join(part.index)})" if len(part) else MISSING for part in by_kind]
            lines.append([*names, *cells, _mean(levels), number_text(levels.std(skipna=False))])
    columns = [*_STUDENT, *(f"{kind} distortions" for kind in KINDS), "all datasets", "deviation over datasets"]
    return page_table("Mean SRCC over datasets, all patches", columns, lines)


def kinds_warnings(summary: pd.DataFrame, kinds: Mapping[str, str]) -> list[str]:
    """One sentence for each student that is good on one kind of distortions and poor on the other.

    Args:
        summary: Table "summary".
        kinds: Kind of each dataset's distortions.
    """
    sentences = []
    for (sampler, _, student), levels in _levels(summary):
        means = {kind: levels[levels.index.map(kinds) == kind].mean(skipna=False) for kind in KINDS}
        better, poorer = sorted(means, key=lambda kind: -means[kind])
        if means[better] - means[poorer] > GAP:
            sentences.append(
                f"{student} ({sampler}): mean SRCC {means[better]:.3f} on datasets of {better} distortions, but "
                f"{means[poorer]:.3f} on those of {poorer} ones."
            )
    return sentences


def _mean(levels: pd.Series) -> str:
    """Mean over datasets; undefined where the SRCC on one of them is."""
    return number_text(levels.mean(skipna=False))


def _levels(summary: pd.DataFrame) -> list[tuple[tuple[str, str, str], pd.Series]]:
    """Sampler, encoder and student, with the mean SRCC of each dataset."""
    rows = trained(summary)
    rows = rows[(rows.selector == ALL) & (rows.metric == "srcc")]
    return [(names, of_student.set_index("dataset")["mean"]) for names, of_student in rows.groupby(_STUDENT)]


def _with_deviation(mean: float, deviation: float, metric: str) -> str:
    number = number_text(mean, metric)
    return f"{number} ± {deviation:.3f}" if np.isfinite([mean, deviation]).all() else number
