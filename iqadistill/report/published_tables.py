"""Published results beside those of the study."""

from collections.abc import Collection, Mapping

import pandas as pd

from iqadistill.figures.drawing.variants import ALL, without_selection
from iqadistill.report.tables import MISSING, PageTable, interval_text, number_text, page_table, student_text

OURS = "this study"
_VARIANT = ["sampler", "encoder", "student"]


def published_table(
    published: pd.DataFrame,
    summary: pd.DataFrame,
    sources: Mapping[str, str],
    models: Mapping[str, str],
    may_have_seen: Collection[tuple[str, str]] = (),
) -> PageTable:
    """Published results with source and protocol, and those of all students of the study on the same datasets.

    A student stands below the published method that has its name, or that of its model; the others follow at the end of
    their dataset. None is chosen by its result. PLCC is the raw one, without the logistic: the releases of the listed
    methods compute it so. Ours are means with their intervals, and medians, since DEIQT and RKIQT publish medians
    over random splits.

    Args:
        published: Published results, from `published_for`.
        summary: Table "summary".
        sources: Registry name of each dataset entry of the study.
        models: Model of each student entry of the study.
        may_have_seen: Pairs of dataset and student of which the student may have seen the test images.
    """
    ours = without_selection(summary)
    lines, marks = [], []
    for entry, registered in sources.items():
        waiting = list(dict.fromkeys(ours[ours.dataset == entry].student))
        for key, rows in published[published.dataset == registered].groupby(
            ["method", "source", "protocol"], sort=False
        ):
            method, source, protocol = key
            values = dict(zip(rows.metric, rows.value, strict=True))
            cells = [f"{values[metric]:g}" if metric in values else MISSING for metric in ("srcc", "plcc")]
            lines.append([entry, method, *cells, MISSING, MISSING, MISSING, source, protocol])
            marks.append("")
            named = [name for name in waiting if method.lower() in (name.lower(), models.get(name, "").lower())]
            waiting = [name for name in waiting if name not in named]
            named = sorted(named, key=lambda name: name.lower() != method.lower())
            same_model = _lines_of(ours, entry, named, may_have_seen)
            lines += same_model
            marks += ["strong"] * len(same_model)
        if registered in set(published.dataset):
            others = _lines_of(ours, entry, waiting, may_have_seen)
            lines += others
            marks += ["strong"] * len(others)
    columns = ["dataset", "method", "SRCC", "PLCC (raw)", "median SRCC", "median PLCC (raw)"]
    columns += ["splits", "source", "protocol"]
    return page_table("Published results", columns, lines, marks)


def _lines_of(
    ours: pd.DataFrame, entry: str, students: list[str], may_have_seen: Collection[tuple[str, str]]
) -> list[list[str]]:
    """Lines of some students on one dataset."""
    lines = []
    for student in students:
        rows = ours[(ours.dataset == entry) & (ours.student == student)]
        for (sampler, encoder, _), variant in rows.groupby(_VARIANT, sort=False):
            means = {row.metric: interval_text(row.mean, row.low, row.high, row.metric) for row in variant.itertuples()}
            medians = {row.metric: number_text(row.median, row.metric) for row in variant.itertuples()}
            cells = [values.get(metric, MISSING) for values in (means, medians) for metric in ("srcc", "plcc_raw")]
            protocol = f"all patches, sampler {sampler}, encoder {encoder}" if sampler else "whole images"
            name = student_text(student, (entry, student) in may_have_seen)
            lines.append([entry, name, *cells, str(variant.splits.max()), OURS, protocol])
    return lines


def published_cross_table(published: pd.DataFrame, summary: pd.DataFrame) -> PageTable:
    """Published SRCC of methods trained on one dataset and tested on another, and those of the study's students.

    Args:
        published: Published results, from `published_cross_for`.
        summary: Table "summary".
    """
    ours = summary[(summary.train_dataset != summary.dataset) & (summary.selector == ALL) & (summary.metric == "srcc")]
    lines, marks = [], []
    for (train_dataset, dataset), rows in published.groupby(["train_dataset", "dataset"], sort=False):
        tested = ours[(ours.train_dataset == train_dataset) & (ours.dataset == dataset)]
        if tested.empty:
            continue
        for row in rows.itertuples():
            lines.append(
                [train_dataset, dataset, row.method, f"{row.value:g}", MISSING, MISSING, row.source, row.protocol]
            )
        for row in tested.itertuples():
            numbers = [interval_text(row.mean, row.low, row.high), number_text(row.median), str(row.splits)]
            protocol = f"all patches, trained with sampler {row.sampler}"
            lines.append([train_dataset, dataset, row.student, *numbers, OURS, protocol])
        marks += [""] * len(rows) + ["strong"] * len(tested)
    columns = ["trained on", "tested on", "method", "SRCC", "median SRCC", "splits", "source", "protocol"]
    return page_table("Published cross-dataset results", columns, lines, marks)
