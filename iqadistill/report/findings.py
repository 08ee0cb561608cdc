"""Findings: sentences computed from the exploratory comparisons and the summary."""

from collections.abc import Collection

import numpy as np
import pandas as pd

from iqadistill.evaluation.variant_names import side_names
from iqadistill.figures.drawing.style import METRIC_LABELS, p_text
from iqadistill.figures.drawing.variants import ALL, LABEL_ONLY, RANDOM, against_random

VERDICTS = ("better", "worse", "equivalent", "undecided", "undefined")
FEW_SPLITS = 10  # with fewer splits, the report says so in its notes


def comparison_sentence(row: pd.Series) -> str:
    """One exploratory comparison as a sentence.

    Args:
        row: Row of table "comparisons".

    Returns:
        For example "at keep 0.4 residual minus random = +0.004 [-0.006, 0.013] SRCC: undecided (smallest detectable
        0.021)".
    """
    return f"{difference_text(row)}: {in_words(row)}"


def difference_text(row: pd.Series) -> str:
    """The difference of a comparison with its interval, in words.

    Args:
        row: Row of table "comparisons".
    """
    first, second = side_names(row)
    rate = f"at keep {row.keep:g} " if np.isclose(row.keep, row.other_keep) and row.keep < 1 else ""
    interval = f" [{row.low:.3f}, {row.high:.3f}]" if np.isfinite(row.low) else ""
    number = f" = {row.delta:+z.3f}{interval} {METRIC_LABELS[row.metric]}" if np.isfinite(row.delta) else ""
    return f"{rate}{first} minus {second}{number}"


def in_words(row: pd.Series) -> str:
    """What an exploratory comparison decided, with the number that it rests on.

    Args:
        row: Row of table "comparisons".
    """
    if row.verdict == "undefined":
        return f"undefined ({row.reason})" if row.reason else "undefined"
    if row.verdict == "undecided":
        return f"undecided (smallest detectable {row.smallest_detectable:.3f})"
    if row.verdict == "equivalent":
        return "equivalent"
    return f"{row.verdict} ({p_text(row.p_holm).replace('p ', 'p_holm ')})"


def random_headlines(comparisons: pd.DataFrame) -> list[str]:
    """What the comparisons of selectors with random came to, by SRCC: a sentence for each dataset and number of draws.

    Args:
        comparisons: Table "comparisons".
    """
    pairs = against_random(comparisons)
    return [
        f"{dataset}: {len(rows)} comparisons of selectors with {_control(draws)} at the same rate: {counted(rows)}."
        for (dataset, draws), rows in pairs[pairs.metric == "srcc"].groupby(["dataset", "draws"], sort=False)
    ]


def _control(draws: int) -> str:
    return f"the mean over {draws} random rankings" if draws else "one random ranking"


def counted(rows: pd.DataFrame) -> str:
    """How many comparisons came to which verdict, with the range of what the undecided ones could have detected.

    Args:
        rows: Rows of table "comparisons".
    """
    words = []
    for verdict in VERDICTS:
        pairs = rows[rows.verdict == verdict]
        if len(pairs):
            detectable = f" ({_detectable(pairs)})" if verdict == "undecided" else ""
            words.append(f"{verdict} in {len(pairs)}{detectable}")
    return ", ".join(words)


def by_keep_rate(rows: pd.DataFrame) -> str:
    """What the comparisons of one selector came to over its keep rates, in words.

    Args:
        rows: Rows of table "comparisons" of one selector and metric, one a keep rate.
    """
    parts = []
    for verdict in VERDICTS:
        pairs = rows[rows.verdict == verdict]
        if len(pairs):
            detectable = f" ({_detectable(pairs)})" if verdict == "undecided" else ""
            why = f" ({', '.join(dict.fromkeys(pairs.reason))})" if verdict == "undefined" else ""
            parts.append(f"{verdict} at keep {_rates(pairs)}{detectable}{why}")
    known = rows.delta[np.isfinite(rows.delta)]
    if len(known) == 1:
        parts.append(f"difference {known.iloc[0]:+z.3f}")
    elif len(known):
        parts.append(f"differences {known.min():+z.3f} to {known.max():+z.3f}")
    return "; ".join(parts)


def _detectable(rows: pd.DataFrame) -> str:
    """Range of the smallest detectable differences."""
    low, high = (f"{value:.3f}" for value in (rows.smallest_detectable.min(), rows.smallest_detectable.max()))
    return f"smallest detectable {low}" if low == high else f"smallest detectable {low} to {high}"


def caveats(summary: pd.DataFrame, may_have_seen: Collection[tuple[str, str]] = ()) -> list[str]:
    """What changes a reader's conclusion: students that may have seen the test images, single splits, no baseline.

    Args:
        summary: Table "summary".
        may_have_seen: Pairs of dataset and student of which the student may have seen the test images.
    """
    sentences = [
        f"{dataset}: {student} is one model for all splits, which may have seen the test images; it is in no paired"
        " test."
        for dataset, student in sorted(may_have_seen)
    ]
    for dataset, rows in summary[summary.dataset == summary.train_dataset].groupby("dataset", sort=False):
        single = rows[(rows.splits == 1) & (rows.student != LABEL_ONLY)]
        if len(single):
            names = " and ".join(dict.fromkeys(single.student))
            sentences.append(f"{dataset}: {names} on a single split, which is an illustration, not evidence.")
        selectors = set(rows.selector) - {ALL, ""}
        if selectors and RANDOM not in selectors:
            sentences.append(f"{dataset}: random selection was not evaluated, so the selectors have no baseline.")
    return sentences


def notes(summary: pd.DataFrame) -> list[str]:
    """What a reader should know of the method: few splits, and metrics and controls that are missing.

    Args:
        summary: Table "summary".
    """
    no_logistic = summary[(summary.metric == "plcc") & summary["median"].isna() & (summary.selector == "")]
    sentences = [
        f"{row.dataset}: {row.student} has no predictions for training images, on which the logistic is fitted: no PLCC"
        " and no RMSE, only SRCC, KRCC and PLCC without logistic."
        for row in no_logistic[no_logistic.student != LABEL_ONLY].itertuples()
    ]
    for dataset, rows in summary[summary.dataset == summary.train_dataset].groupby("dataset", sort=False):
        by_splits = dict(list(rows[rows.student != LABEL_ONLY].groupby("splits")))
        for splits, students in sorted(by_splits.items(), reverse=True):
            if 1 < splits < FEW_SPLITS:
                names = " and ".join(dict.fromkeys(students.student))
                sentences.append(
                    f"{dataset}: {names} on {splits} splits, fewer than {FEW_SPLITS}: see what they could detect."
                )
        if LABEL_ONLY not in set(rows.student):
            sentences.append(f"{dataset}: no distortion labels, so the label-only control is missing.")
    return sentences


def _rates(pairs: pd.DataFrame) -> str:
    return ", ".join(f"{keep:g}" for keep in sorted(pairs.keep))
