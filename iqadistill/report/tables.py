"""Tables of the report as text, ready for the template."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

from iqadistill.figures.drawing.style import METRIC_LABELS, selector_styles
from iqadistill.figures.drawing.variants import ALL, LABEL_ONLY, PANEL, against_all, against_random, trained
from iqadistill.report.findings import compared_with_all_patches, compared_with_random, comparison_sentence, outcome

MISSING = "–"


@dataclass(frozen=True)
class PageTable:
    """A table of text.

    Attributes:
        heading: Heading of the table.
        columns: Names of the columns.
        rows: Cells of each row.
        marks: CSS class of each row; empty for none.
        note: Sentence above the table; empty for none.
    """

    heading: str
    columns: list[str]
    rows: list[list[str]]
    marks: list[str]
    note: str = ""


def page_table(
    heading: str, columns: list[str], rows: list[list[str]], marks: list[str] | None = None, note: str = ""
) -> PageTable:
    """A table whose rows have no CSS class unless `marks` gives one for each."""
    return PageTable(heading, columns, rows, marks or [""] * len(rows), note)


def findings_table(comparisons: pd.DataFrame) -> PageTable:
    """SRCC of each selector compared with random and with all patches.

    Args:
        comparisons: Table "comparisons".

    Returns:
        One row per dataset, sampler, encoder, student and selector.
    """
    key = [*PANEL, "student", "selector"]
    srcc = comparisons[comparisons.metric == "srcc"]
    lines: dict[tuple[str, ...], list[str]] = {}
    for column, (pairs, in_words) in enumerate(
        [(against_random(srcc), compared_with_random), (against_all(srcc), compared_with_all_patches)]
    ):
        for variant, rows in pairs.groupby(key, sort=False):
            lines.setdefault(variant, [MISSING, MISSING])[column] = in_words(rows)
    styles = selector_styles(variant[-1] for variant in lines)
    sweeps = list(dict.fromkeys(variant[:-1] for variant in lines))
    order = sorted(lines, key=lambda variant: (sweeps.index(variant[:-1]), list(styles).index(variant[-1])))
    rows = [[*variant[:-1], styles[variant[-1]].label, *lines[variant]] for variant in order]
    columns = [
        "dataset",
        "sampler",
        "encoder",
        "student",
        "selector",
        "against random at the same rate",
        "against all patches",
    ]
    return page_table("SRCC of all selectors, paired tests with Holm's correction", columns, rows)


def accuracy_tables(summary: pd.DataFrame, may_have_seen: Collection[tuple[str, str]] = ()) -> list[PageTable]:
    """Median and interval of SRCC and PLCC, one table per metric and dataset.

    Args:
        summary: Table "summary".
        may_have_seen: Pairs of dataset and student of which the student may have seen the test images.

    Returns:
        Tables with one row per sampler, encoder, student and selector and one column per keep rate.
    """
    tables = []
    rows = trained(summary)
    for metric in ("srcc", "plcc"):
        for dataset, of_dataset in rows[rows.metric == metric].groupby("dataset", sort=False):
            rates = sorted(set(of_dataset.keep))
            lines, marks = [], []
            styles = selector_styles(of_dataset.selector)
            for names, variants in of_dataset.groupby(["sampler", "encoder", "student", "selector"], sort=False):
                values = {row.keep: _interval(row.median, row.low, row.high) for row in variants.itertuples()}
                selector = styles[names[3]].label if names[3] else "whole images"
                seen = (dataset, names[2]) in may_have_seen
                lines.append([*names[:3], selector, *(values.get(rate, MISSING) for rate in rates)])
                lines[-1][2] += " (may have seen these images)" if seen else ""
                marks.append("quiet" if seen else "strong" if names[3] == ALL else "")
            control = summary[
                (summary.dataset == dataset) & (summary.metric == metric) & (summary.student == LABEL_ONLY)
            ]
            for row in control.itertuples():
                interval = _interval(row.median, row.low, row.high)
                lines.append(["", "", "", "distortion label alone", *[MISSING] * (len(rates) - 1), interval])
                marks.append("quiet")
            columns = ["sampler", "encoder", "student", "selector", *(f"keep {rate:g}" for rate in rates)]
            tables.append(page_table(f"{dataset}, {METRIC_LABELS[metric]}", columns, lines, marks))
    return tables


def comparison_tables(comparisons: pd.DataFrame) -> list[PageTable]:
    """Paired comparisons, one table per family; the note counts the outcomes.

    Args:
        comparisons: Table "comparisons".

    Returns:
        Tables with one row per pair and metric.
    """
    tables = []
    for family, rows in comparisons.groupby("family", sort=False):
        outcomes = [outcome(row) for _, row in rows.iterrows()]
        lines = [
            [
                row.dataset,
                row.train_dataset or MISSING,
                row.sampler or MISSING,
                row.encoder or MISSING,
                comparison_sentence(row),
                _p(row.p),
                _p(row.p_holm),
            ]
            for _, row in rows.iterrows()
        ]
        counts = pd.Series(outcomes).value_counts()
        tests = " and ".join(sorted(set(rows.test.dropna())))
        note = (
            f"{len(rows)} pairs on the same splits ({tests}): {counts.get('better', 0)} better, "
            f"{counts.get('worse', 0)} worse, {counts.get('no difference detected', 0)} without a detected difference "
            "at Holm-corrected p < 0.05."
        )
        columns = ["dataset", "trained on", "sampler", "encoder", "verdict", "p", "p Holm"]
        marks = [result if result in ("better", "worse") else "" for result in outcomes]
        tables.append(page_table(str(family).replace("_", " "), columns, lines, marks, note))
    return tables


def published_table(published: pd.DataFrame, summary: pd.DataFrame, sources: Mapping[str, str]) -> PageTable:
    """Published results with source and protocol, and those of the study's best student on the same dataset.

    Args:
        published: Published results, from `published_for`.
        summary: Table "summary".
        sources: Registry name of each dataset entry of the study.
    """
    ours = trained(summary)
    ours = ours[ours.selector == ALL]
    lines = []
    for key, rows in published.groupby(["dataset", "method", "source", "protocol"], sort=False):
        dataset, method, source, protocol = key
        values = dict(zip(rows.metric, rows.value, strict=True))
        cells = [f"{values[metric]:g}" if metric in values else MISSING for metric in ("srcc", "plcc")]
        for name in [name for name, registered in sources.items() if registered == dataset]:
            lines.append([name, method, *cells, *_ours(ours[ours.dataset == name], list(values)), source, protocol])
    columns = ["dataset", "method", "SRCC", "PLCC", "ours, all patches", "comparable", "source", "protocol"]
    return page_table("Published results", columns, lines)


def cost_table(costs: pd.DataFrame) -> PageTable:
    """Number of jobs, time and peak memory (MB of 2^20 bytes) of each rule and of all rules.

    Args:
        costs: Table "costs".
    """
    lines = []
    for rule, rows in costs.groupby("rule", sort=False):
        lines.append([rule, str(len(rows)), *_times(rows), _peak(rows.max_rss), _peak(rows.max_vram)])
    lines.append(["all rules", str(len(costs)), *_times(costs), _peak(costs.max_rss), _peak(costs.max_vram)])
    columns = ["rule", "jobs", "seconds", "CPU seconds", "peak memory (MB)", "peak GPU memory (MB)"]
    return page_table("Costs", columns, lines, [""] * (len(lines) - 1) + ["strong"])


def _ours(rows: pd.DataFrame, metrics: list[str]) -> list[str]:
    """Result of the best student on a dataset, and whether it is comparable with a published one."""
    if rows.empty:
        return [MISSING, "no: no student was trained on it"]
    best = rows[rows.metric == "srcc"].sort_values("median").iloc[-1]
    same = rows[(rows.sampler == best.sampler) & (rows.encoder == best.encoder) & (rows.student == best.student)]
    values = [
        f"{METRIC_LABELS[row.metric]} {_interval(row.median, row.low, row.high)}"
        for row in same.itertuples()
        if row.metric in metrics
    ]
    return [
        f"{', '.join(values)} (highest of our students: {best.student}, {best.sampler}, {best.encoder})",
        "same dataset, different protocol",
    ]


def _interval(median: float, low: float, high: float) -> str:
    if not np.isfinite(median):
        return MISSING
    return f"{median:.3f} [{low:.3f}, {high:.3f}]" if np.isfinite(low) else f"{median:.3f}"


def _times(rows: pd.DataFrame) -> list[str]:
    return [
        f"{rows.seconds.sum():,.1f}",
        f"{rows.cpu_seconds.sum():,.1f}" if rows.cpu_seconds.notna().any() else MISSING,
    ]


def _peak(values: pd.Series) -> str:
    """The largest of some values in bytes, in MB."""
    return f"{values.max() / 2**20:,.0f}" if values.notna().any() else MISSING


def _p(value: float) -> str:
    return MISSING if not np.isfinite(value) else "< 0.001" if value < 0.001 else f"{value:.3f}"
