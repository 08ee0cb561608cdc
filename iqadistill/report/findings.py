"""Findings: sentences computed from the paired comparisons and the summary."""

from collections.abc import Collection

import numpy as np
import pandas as pd

from iqadistill.figures.drawing.style import METRIC_LABELS, p_text
from iqadistill.figures.drawing.variants import ALL, LABEL_ONLY, RANDOM, against_random

LEVEL = 0.05  # significance level of the Holm-corrected p values
FEW_SPLITS = 10  # with fewer splits, the report warns of weak tests
_NAMES = ["sampler", "encoder", "selector", "student"]


def comparison_sentence(row: pd.Series) -> str:
    """One paired comparison as a sentence.

    Args:
        row: Row of table "comparisons".

    Returns:
        For example "at keep 0.4 residual minus random = +0.004 [-0.006, 0.013] SRCC, p_holm 0.61: no difference
        detected".
    """
    first, second = _side_names(row)
    rate = f"at keep {row.keep:g} " if np.isclose(row.keep, row.other_keep) and row.keep < 1 else ""
    numbers = f"{row.delta:+.3f} [{row.low:.3f}, {row.high:.3f}] {METRIC_LABELS[row.metric]}"
    if not np.isfinite(row.p_holm):
        return f"{rate}{first} minus {second} = {numbers}: too few splits for a test"
    corrected = p_text(row.p_holm).replace("p = ", "p_holm ").replace("p < ", "p_holm < ")
    return f"{rate}{first} minus {second} = {numbers}, {corrected}: {outcome(row)}"


def outcome(row: pd.Series) -> str:
    """Outcome of a paired comparison: "better", "worse" or "no difference detected"; a lower RMSE is better."""
    if not row.p_holm < LEVEL:
        return "no difference detected"
    return "better" if (row.delta > 0) != (row.metric == "rmse") else "worse"


def random_headlines(comparisons: pd.DataFrame) -> list[str]:
    """One sentence per dataset: how often the SRCC of a selector differs from that of random at the same keep rate.

    Args:
        comparisons: Table "comparisons".
    """
    pairs = against_random(comparisons)
    sentences = []
    for dataset, rows in pairs[pairs.metric == "srcc"].groupby("dataset", sort=False):
        outcomes = [outcome(row) for _, row in rows.iterrows()]
        sentences.append(
            f"{dataset}: {len(rows)} comparisons of selectors with random patches at the same keep rate: "
            f"better in {outcomes.count('better')}, worse in {outcomes.count('worse')}, no difference detected in "
            f"{outcomes.count('no difference detected')}."
        )
    return sentences


def compared_with_random(rows: pd.DataFrame) -> str:
    """SRCC of one selector compared with random over its keep rates, in words.

    Args:
        rows: Rows of table "comparisons" that pair the selector with random at the same keep rates.
    """
    better = rows[(rows.p_holm < LEVEL) & (rows.delta > 0)]
    worse = rows[(rows.p_holm < LEVEL) & (rows.delta < 0)]
    differences = f"differences {rows.delta.min():+.3f} to {rows.delta.max():+.3f}"
    if len(rows) == 1:
        differences = f"difference {rows.delta.iloc[0]:+.3f}"
    if better.empty and worse.empty:
        where = f"keep {rows.keep.iloc[0]:g}" if len(rows) == 1 else f"any of {len(rows)} keep rates"
        return f"no difference detected at {where} ({differences})"
    parts = [f"{word} at keep {_rates(pairs)}" for word, pairs in [("better", better), ("worse", worse)] if len(pairs)]
    of_rates = f", of {len(rows)} keep rates" if len(rows) > 1 else ""
    return f"{' and '.join(parts)}{of_rates} ({differences})"


def compared_with_all_patches(rows: pd.DataFrame) -> str:
    """Keep rates from which on the SRCC of one selector is not detectably worse than that of all patches, in words.

    Args:
        rows: Rows of table "comparisons" that pair the selector with all patches.
    """
    worse = rows[(rows.p_holm < LEVEL) & (rows.delta < 0)]
    not_worse = rows[rows.keep > worse.keep.max()] if len(worse) else rows
    if not_worse.empty:
        return "worse at the highest keep rate tested"
    lowest = not_worse.loc[not_worse.keep.idxmin()]
    difference = f"{lowest.delta:+.3f} [{lowest.low:.3f}, {lowest.high:.3f}]"
    return f"not detectably worse at keep {lowest.keep:g} and above (difference at {lowest.keep:g}: {difference})"


def caveats(summary: pd.DataFrame, may_have_seen: Collection[tuple[str, str]] = ()) -> list[str]:
    """Warnings about few splits, missing controls, and students that may have seen the test images.

    Args:
        summary: Table "summary".
        may_have_seen: Pairs of dataset and student of which the student may have seen the test images.
    """
    sentences = [
        f"{dataset}: {student} is one model for all splits, which may have seen the test images; it is in no paired"
        " test."
        for dataset, student in sorted(may_have_seen)
    ]
    no_logistic = summary[(summary.metric == "plcc") & summary["median"].isna() & (summary.selector == "")]
    sentences += [
        f"{row.dataset}: {row.student} has no predictions for training images, on which the logistic is fitted: no PLCC"
        " and no RMSE, only SRCC, KRCC and PLCC without logistic."
        for row in no_logistic[no_logistic.student != LABEL_ONLY].itertuples()
    ]
    for dataset, rows in summary[summary.dataset == summary.train_dataset].groupby("dataset", sort=False):
        by_splits = dict(list(rows[rows.student != LABEL_ONLY].groupby("splits")))
        for splits, students in sorted(by_splits.items(), reverse=True):
            names = " and ".join(dict.fromkeys(students.student))
            if splits == 1:
                sentences.append(f"{dataset}: {names} on a single split, which is an illustration, not evidence.")
            elif splits < FEW_SPLITS:
                sentences.append(
                    f"{dataset}: {names} on {splits} splits, fewer than {FEW_SPLITS}: the tests have little power."
                )
        if LABEL_ONLY not in set(rows.student):
            sentences.append(f"{dataset}: no distortion labels, so the label-only control is missing.")
        if RANDOM not in set(rows.selector):
            sentences.append(f"{dataset}: random selection was not evaluated, so the selectors have no baseline.")
    return sentences


def _side_names(row: pd.Series) -> tuple[str, str]:
    """Names of both variants of a pair, made of the columns in which they differ."""
    named = [name for name in _NAMES if row[name] != row[f"other_{name}"]]
    same_rate = np.isclose(row.keep, row.other_keep)

    def side(prefix: str) -> str:
        parts = [
            row[f"{prefix}{name}"].replace(ALL, "all patches") if name == "selector" else row[f"{prefix}{name}"]
            for name in named
        ]
        if row[f"{prefix}student"] == LABEL_ONLY:
            return "distortion label alone"
        if not same_rate and row[f"{prefix}keep"] < 1:
            parts.append(f"at keep {row[f'{prefix}keep']:g}")
        return " ".join(part for part in parts if part) or f"keep {row[f'{prefix}keep']:g}"

    return side(""), side("other_")


def _rates(pairs: pd.DataFrame) -> str:
    return ", ".join(f"{keep:g}" for keep in sorted(pairs.keep))
