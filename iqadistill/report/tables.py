"""Tables of the report as text, ready for the template."""

import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

from iqadistill.figures.drawing.style import METRIC_LABELS, selector_styles
from iqadistill.figures.drawing.variants import ALL, LABEL_ONLY, PANEL, against_all, against_random, trained
from iqadistill.report.findings import by_keep_rate, comparison_sentence, counted, difference_text

MISSING, UNDEFINED = "–", "undefined"
AFTER_LOGISTIC = ("plcc", "rmse")
TESTS = {
    "corrected_t": "corrected resampled t-test",
    "paired_t": "paired t-test",
    "random_rankings": "place among random rankings",
    "random_rankings_t": "t-test against random rankings",
}
"""Tests of table "comparisons" in words."""


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
    for column, pairs in enumerate((against_random(srcc), against_all(srcc))):
        for variant, rows in pairs.groupby(key, sort=False):
            lines.setdefault(variant, [MISSING, MISSING])[column] = by_keep_rate(rows)
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
    return page_table("SRCC of all selectors (exploratory)", columns, rows)


def accuracy_tables(summary: pd.DataFrame, may_have_seen: Collection[tuple[str, str]] = ()) -> list[PageTable]:
    """Mean with its interval, and median, of SRCC and PLCC, one table per metric and dataset.

    Args:
        summary: Table "summary".
        may_have_seen: Pairs of dataset and student of which the student may have seen the test images.

    Returns:
        Tables with one row per sampler, encoder, student and selector and two columns per keep rate:
        the means, then the medians.
    """
    tables = []
    rows = trained(summary)
    for metric in ("srcc", "plcc"):
        for dataset, of_dataset in rows[rows.metric == metric].groupby("dataset", sort=False):
            rates = sorted(set(of_dataset.keep))
            lines, marks = [], []
            for names, variants in of_dataset.groupby(["sampler", "encoder", "student", "selector"], sort=False):
                means = {
                    row.keep: interval_text(row.mean, row.low, row.high, row.metric) for row in variants.itertuples()
                }
                medians = {row.keep: number_text(row.median, row.metric) for row in variants.itertuples()}
                sampler, encoder, student, selector = names
                seen = (dataset, student) in may_have_seen
                lines.append([sampler, encoder, student_text(student, seen), _selection(selector)])
                lines[-1] += [values.get(rate, MISSING) for values in (means, medians) for rate in rates]
                marks.append("quiet" if seen else "strong" if selector == ALL else "")
            control = summary[
                (summary.dataset == dataset) & (summary.metric == metric) & (summary.student == LABEL_ONLY)
            ]
            for row in control.itertuples():
                absent = [MISSING] * (len(rates) - 1)
                numbers = [
                    *absent,
                    interval_text(row.mean, row.low, row.high, row.metric),
                    *absent,
                    number_text(row.median, row.metric),
                ]
                lines.append(["", "", "", "distortion label alone", *numbers])
                marks.append("quiet")
            columns = ["sampler", "encoder", "student", "selector"]
            columns += [f"{prefix}keep {rate:g}" for prefix in ("", "median, ") for rate in rates]
            tables.append(page_table(f"{dataset}, {METRIC_LABELS[metric]}", columns, lines, marks))
    return tables


def comparison_tables(comparisons: pd.DataFrame) -> list[PageTable]:
    """Paired comparisons, one table per family; the note counts the outcomes.

    Args:
        comparisons: Table "comparisons".

    Returns:
        Tables with one row per pair and metric. Pairs tested on another dataset than trained on have tables of their
        own, without p.
    """
    tables = []
    elsewhere = comparisons.dataset != comparisons.train_dataset
    for family, rows in comparisons[~elsewhere].groupby("family", sort=False):
        lines = [
            [
                row.dataset,
                row.train_dataset or MISSING,
                row.sampler or MISSING,
                row.encoder or MISSING,
                comparison_sentence(row),
            ]
            for _, row in rows.iterrows()
        ]
        tests = " and ".join(TESTS[test] for test in TESTS if (rows.test == test).any())
        note = f"{len(rows)} exploratory pairs on the same splits ({tests}; Holm's procedure): {counted(rows)}."
        columns = ["dataset", "trained on", "sampler", "encoder", "verdict"]
        marks = [verdict if verdict in ("better", "worse") else "" for verdict in rows.verdict]
        tables.append(page_table(str(family).replace("_", " "), columns, lines, marks, note))
    return tables + [_over_contents(str(family), rows) for family, rows in comparisons[elsewhere].groupby("family")]


def _over_contents(family: str, rows: pd.DataFrame) -> PageTable:
    """Pairs of one family that were tested on another dataset than trained on."""
    lines = [
        [
            row.dataset,
            row.train_dataset,
            row.sampler or MISSING,
            row.encoder or MISSING,
            difference_text(row),
        ]
        for _, row in rows.iterrows()
    ]
    note = (
        f"{len(rows)} pairs on datasets that neither variant was trained on, with intervals over the contents of the "
        "tested images. There is no p: trainings on splits of one dataset share most of their images."
    )
    columns = ["dataset", "trained on", "sampler", "encoder", "difference"]
    return page_table(f"{family.replace('_', ' ')}, on other datasets", columns, lines, note=note)


def official_table(official: pd.DataFrame, may_have_seen: Collection[tuple[str, str]] = ()) -> PageTable:
    """SRCC and PLCC on the official splits.

    Args:
        official: Table "official".
        may_have_seen: Pairs of dataset and student of which the student may have seen the test images.

    Returns:
        One row per variant and dataset, with the number of test images and intervals over their contents.
    """
    key = ["dataset", "sampler", "encoder", "student", "selector", "keep"]
    lines, marks = [], []
    for names, rows in official.groupby(key, sort=False):
        dataset, sampler, encoder, student, selector, keep = names
        values = {row.metric: interval_text(row.value, row.low, row.high, row.metric) for row in rows.itertuples()}
        control, seen = student == LABEL_ONLY, (dataset, student) in may_have_seen
        selection = "distortion label alone" if control else _selection(selector)
        cells = [values.get(metric, MISSING) for metric in ("srcc", "plcc", "plcc_raw")]
        name = MISSING if control else student_text(student, seen)
        lines.append([dataset, sampler, encoder, name, selection, f"{keep:g}", str(rows.n.iloc[0]), *cells])
        marks.append("quiet" if control or seen else "strong" if selector == ALL else "")
    columns = ["dataset", "sampler", "encoder", "student", "selector", "keep", "test images"]
    return page_table("Official split", [*columns, "SRCC", "PLCC", "PLCC (raw)"], lines, marks)


def stability_table(stability: pd.DataFrame) -> PageTable:
    """Change of the scores of deep students when all patches are flipped horizontally.

    Args:
        stability: Table "stability".
    """
    lines = []
    for row in stability.itertuples():
        deviation = MISSING if np.isnan(row.std) else f"{row.std:.4f}"
        variant = [row.dataset, row.train_dataset, row.sampler, row.student, _selection(row.selector), f"{row.keep:g}"]
        lines.append([*variant, f"{row.difference:.4f}", deviation, str(row.splits)])
    columns = ["dataset", "trained on", "sampler", "student", "selector", "keep"]
    columns += ["mean |q(I) - q(flipped I)|", "deviation over splits", "splits"]
    return page_table("Stability under the horizontal flip", columns, lines)


def ranking_table(
    costs: pd.DataFrame, selectors: Mapping[str, Mapping[str, object]], images: Mapping[str, int]
) -> PageTable:
    """Time that each selector takes to rank the patches of an image.

    Args:
        costs: Table "costs".
        selectors: Settings of each selector by its name.
        images: Number of images of each dataset by its name.

    Returns:
        One row per selector, dataset, sampler and encoder. Times are those of whole jobs, which also start, read
        embeddings and write rankings.
    """
    lines = []
    jobs = costs[costs["rule"] == "select_patches"]
    named = pd.DataFrame([json.loads(text) for text in jobs.wildcards], index=jobs.index)
    for names, seconds in zip(named.to_dict("records"), jobs.seconds, strict=True):
        if pd.notna(names.get("draw")):  # one of many random rankings
            continue
        settings = selectors[names["selector"]]
        count = images.get(names["dataset"], 0)
        each = f"{1000 * seconds / count:,.0f}" if count else MISSING
        options = [str(settings.get(key, MISSING)) for key in ("method", "metric", "n_components", "solver")]
        lines.append([names["selector"], *options, *(names[key] for key in PANEL), f"{seconds:,.1f}", each])
    columns = ["selector", "method", "metric", "h", "solver", *PANEL, "seconds", "milliseconds per image"]
    return page_table("Time to rank patches", columns, sorted(lines, key=lambda line: line[5:8]))


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


def interval_text(value: float, low: float, high: float, metric: str = "srcc") -> str:
    """A number with its interval, where these are known."""
    number = number_text(value, metric)
    return f"{number} [{low:.3f}, {high:.3f}]" if np.isfinite([value, low]).all() else number


def number_text(value: float, metric: str = "srcc") -> str:
    """A number; a correlation without one is undefined on some split, other metrics may have no logistic."""
    without = MISSING if metric in AFTER_LOGISTIC else UNDEFINED
    return f"{value:.3f}" if np.isfinite(value) else without


def student_text(student: str, may_have_seen: bool) -> str:
    """Name of a student, with a mark if it may have seen the test images."""
    return f"{student} (may have seen these images)" if may_have_seen else student


def _selection(selector: str) -> str:
    """Label of a selector, or what a student without patches scores."""
    return selector_styles([selector])[selector].label if selector else "whole images"


def _times(rows: pd.DataFrame) -> list[str]:
    return [
        f"{rows.seconds.sum():,.1f}",
        f"{rows.cpu_seconds.sum():,.1f}" if rows.cpu_seconds.notna().any() else MISSING,
    ]


def _peak(values: pd.Series) -> str:
    """The largest of some values in bytes, in MB."""
    return f"{values.max() / 2**20:,.0f}" if values.notna().any() else MISSING
