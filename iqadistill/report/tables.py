"""The report's tables as text, ready for the template."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

from iqadistill.figures.drawing.style import METRIC_LABELS, selector_styles
from iqadistill.figures.drawing.variants import ALL, LABEL_ONLY, PANEL, against_all, against_random, trained
from iqadistill.report.findings import judged_against_all, judged_against_random, outcome, verdict

NONE = "–"


@dataclass(frozen=True)
class PageTable:
    """A table of text: heading, column names, rows; `marks` gives each row a style class."""

    heading: str
    columns: list[str]
    rows: list[list[str]]
    marks: list[str]
    note: str = ""


def page_table(
    heading: str, columns: list[str], rows: list[list[str]], marks: list[str] | None = None, note: str = ""
) -> PageTable:
    """A table whose rows carry no style unless given."""
    return PageTable(heading, columns, rows, marks or [""] * len(rows), note)


def findings_table(comparisons: pd.DataFrame) -> PageTable:
    """A row a dataset x sampler x encoder x student x selector: its SRCC judged against random and against all patches."""
    key = [*PANEL, "student", "selector"]
    srcc = comparisons[comparisons.metric == "srcc"]
    lines: dict[tuple[str, ...], list[str]] = {}
    for place, (pairs, judge) in enumerate(
        [(against_random(srcc), judged_against_random), (against_all(srcc), judged_against_all)]
    ):
        for variant, rows in pairs.groupby(key, sort=False):
            lines.setdefault(variant, [NONE, NONE])[place] = judge(rows)
    labels = selector_styles(variant[-1] for variant in lines)
    cells = list(dict.fromkeys(variant[:-1] for variant in lines))
    order = sorted(lines, key=lambda variant: (cells.index(variant[:-1]), list(labels).index(variant[-1])))
    rows = [[*variant[:-1], labels[variant[-1]][0], *lines[variant]] for variant in order]
    columns = [
        "dataset",
        "sampler",
        "encoder",
        "student",
        "selector",
        "against random at the same rate",
        "against all patches",
    ]
    return page_table("Every selector, SRCC, paired tests with Holm's correction", columns, rows)


def accuracy_tables(summary: pd.DataFrame) -> list[PageTable]:
    """For each dataset and metric, median and interval: a row a sampler x encoder x selector, a column a keep rate."""
    tables = []
    rows = trained(summary)
    for metric in ("srcc", "plcc"):
        for dataset, here in rows[rows.metric == metric].groupby("dataset", sort=False):
            rates = sorted(set(here.keep))
            lines, marks = [], []
            styles = selector_styles(here.selector)
            for key, cells in here.groupby(["sampler", "encoder", "student", "selector"], sort=False):
                values = {row.keep: _interval(row) for row in cells.itertuples()}
                lines.append([*key[:3], styles[key[3]][0], *(values.get(rate, NONE) for rate in rates)])
                marks.append("strong" if key[3] == ALL else "")
            label = summary[(summary.dataset == dataset) & (summary.metric == metric) & (summary.student == LABEL_ONLY)]
            for row in label.itertuples():
                lines.append(["", "", "", "distortion label alone", *[NONE] * (len(rates) - 1), _interval(row)])
                marks.append("quiet")
            columns = ["sampler", "encoder", "student", "selector", *(f"keep {rate:g}" for rate in rates)]
            tables.append(page_table(f"{dataset}, {METRIC_LABELS[metric]}", columns, lines, marks))
    return tables


def comparison_tables(comparisons: pd.DataFrame) -> list[PageTable]:
    """A table a family of paired tests, each pair with its verdict; the note counts the outcomes."""
    tables = []
    for family, rows in comparisons.groupby("family", sort=False):
        outcomes = [outcome(row) for _, row in rows.iterrows()]
        lines = [
            [
                row.dataset,
                row.train_dataset or NONE,
                row.sampler or NONE,
                row.encoder or NONE,
                verdict(row),
                _p(row.p),
                _p(row.p_holm),
            ]
            for _, row in rows.iterrows()
        ]
        counts = pd.Series(outcomes).value_counts()
        tests = " and ".join(sorted(set(rows.test.dropna())))
        note = (
            f"{len(rows)} pairs on the same splits ({tests}): {counts.get('better', 0)} better, {counts.get('worse', 0)} worse,"
            f" {counts.get('no difference detected', 0)} without a detected difference at Holm-corrected p < 0.05."
        )
        columns = ["dataset", "trained on", "sampler", "encoder", "verdict", "p", "p Holm"]
        marks = [found if found in ("better", "worse") else "" for found in outcomes]
        tables.append(page_table(str(family).replace("_", " "), columns, lines, marks, note))
    return tables


def published_table(published: pd.DataFrame, summary: pd.DataFrame, sources: Mapping[str, str]) -> PageTable:
    """Published numbers with source and protocol, ours on the same dataset beside them.

    Args:
        published: What `published_for` gives.
        summary: Table "summary".
        sources: Registry name of each dataset entry of the study.
    """
    ours = trained(summary)
    ours = ours[ours.selector == ALL]
    lines = []
    for key, rows in published.groupby(["dataset", "method", "source", "protocol"], sort=False):
        dataset, method, source, protocol = key
        values = dict(zip(rows.metric, rows.value, strict=True))
        printed = [f"{values[metric]:g}" if metric in values else NONE for metric in ("srcc", "plcc")]
        for name in [name for name, known in sources.items() if known == dataset]:
            beside = _ours(ours[ours.dataset == name], list(values))
            lines.append([name, method, *printed, *beside, source, protocol])
    columns = ["dataset", "method", "SRCC", "PLCC", "ours on it, all patches", "comparable", "source", "protocol"]
    return page_table("Published numbers", columns, lines)


def cost_table(costs: pd.DataFrame) -> PageTable:
    """Jobs, time and memory (MB of 2^20 bytes) of each rule, and in all."""
    lines = []
    for rule, rows in costs.groupby("rule", sort=False):
        lines.append([rule, str(len(rows)), *_times(rows), _peak(rows.max_rss), _peak(rows.max_vram)])
    lines.append(["all rules", str(len(costs)), *_times(costs), _peak(costs.max_rss), _peak(costs.max_vram)])
    columns = ["rule", "jobs", "seconds", "CPU seconds", "peak memory (MB)", "peak GPU memory (MB)"]
    return page_table("Costs", columns, lines, [""] * (len(lines) - 1) + ["strong"])


def _ours(rows: pd.DataFrame, metrics: list[str]) -> list[str]:
    if rows.empty:
        return [NONE, "no: no student was trained on it"]
    best = rows[rows.metric == "srcc"].sort_values("median").iloc[-1]
    same = rows[(rows.sampler == best.sampler) & (rows.encoder == best.encoder) & (rows.student == best.student)]
    shown = [f"{METRIC_LABELS[row.metric]} {_interval(row)}" for row in same.itertuples() if row.metric in metrics]
    return [
        f"{', '.join(shown)} (highest of our students: {best.student}, {best.sampler}, {best.encoder})",
        "same dataset, another protocol",
    ]


def _interval(row: object) -> str:
    middle, low, high = row.median, row.low, row.high
    return f"{middle:.3f} [{low:.3f}, {high:.3f}]" if np.isfinite(low) else f"{middle:.3f}"


def _times(rows: pd.DataFrame) -> list[str]:
    return [f"{rows.seconds.sum():,.1f}", f"{rows.cpu_seconds.sum():,.1f}" if rows.cpu_seconds.notna().any() else NONE]


def _peak(values: pd.Series) -> str:
    """Largest of some numbers of bytes, in MB."""
    return f"{values.max() / 2**20:,.0f}" if values.notna().any() else NONE


def _p(value: float) -> str:
    return NONE if not np.isfinite(value) else "< 0.001" if value < 0.001 else f"{value:.3f}"
