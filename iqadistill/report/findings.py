"""What the statistics say, in plain sentences computed from the tables."""

import numpy as np
import pandas as pd

from iqadistill.figures.drawing.style import METRIC_LABELS, p_text
from iqadistill.figures.drawing.variants import ALL, LABEL_ONLY, RANDOM, against_random

LEVEL = 0.05
FEW_SPLITS = 10
_CELL = ["sampler", "encoder", "selector", "student"]


def verdict(row: pd.Series) -> str:
    """One paired comparison as a sentence.

    Example: at keep 0.4 residual minus random = +0.004 [-0.006, 0.013] SRCC, p_holm 0.61: no difference detected
    """
    ours, other = _differing(row)
    rate = f"at keep {row.keep:g} " if np.isclose(row.keep, row.other_keep) and row.keep < 1 else ""
    numbers = f"{row.delta:+.3f} [{row.low:.3f}, {row.high:.3f}] {METRIC_LABELS[row.metric]}"
    if not np.isfinite(row.p_holm):
        return f"{rate}{ours} minus {other} = {numbers}: too few splits for a test"
    corrected = p_text(row.p_holm).replace("p = ", "p_holm ").replace("p < ", "p_holm < ")
    return f"{rate}{ours} minus {other} = {numbers}, {corrected}: {outcome(row)}"


def outcome(row: pd.Series) -> str:
    """`better`, `worse` or `no difference detected`; RMSE is better when lower."""
    if not row.p_holm < LEVEL:
        return "no difference detected"
    return "better" if (row.delta > 0) != (row.metric == "rmse") else "worse"


def random_headlines(comparisons: pd.DataFrame) -> list[str]:
    """For each dataset, how many of all selectors and keep rates differ from random at the same rate, in SRCC."""
    pairs = against_random(comparisons)
    sentences = []
    for dataset, rows in pairs[pairs.metric == "srcc"].groupby("dataset", sort=False):
        outcomes = [outcome(row) for _, row in rows.iterrows()]
        sentences.append(
            f"{dataset}: {len(rows)} comparisons of a selector with random patches at the same keep rate;"
            f" better in {outcomes.count('better')}, worse in {outcomes.count('worse')}, no difference detected in"
            f" {outcomes.count('no difference detected')}."
        )
    return sentences


def judged_against_random(rows: pd.DataFrame) -> str:
    """How one selector's SRCC fared against random, over its keep rates (rows of one selector, paired with random)."""
    better = rows[(rows.p_holm < LEVEL) & (rows.delta > 0)]
    worse = rows[(rows.p_holm < LEVEL) & (rows.delta < 0)]
    differences = f"differences {rows.delta.min():+.3f} to {rows.delta.max():+.3f}"
    if better.empty and worse.empty:
        return f"no difference detected at any of {len(rows)} keep rates ({differences})"
    found = [f"{word} at keep {_rates(cells)}" for word, cells in [("better", better), ("worse", worse)] if len(cells)]
    return f"{' and '.join(found)}, of {len(rows)} keep rates ({differences})"


def judged_against_all(rows: pd.DataFrame) -> str:
    """From which keep rate upwards one selector's SRCC was not detectably below all patches (rows of one selector)."""
    worse = rows[(rows.p_holm < LEVEL) & (rows.delta < 0)]
    enough = rows[rows.keep > worse.keep.max()] if len(worse) else rows
    if enough.empty:
        return "worse at every keep rate tested"
    least = enough.loc[enough.keep.idxmin()]
    return f"not detectably worse from keep {least.keep:g} on ({least.delta:+.3f} [{least.low:.3f}, {least.high:.3f}] there)"


def caveats(summary: pd.DataFrame) -> list[str]:
    """Warnings that follow from the tables: few splits, controls that are missing."""
    sentences = []
    for dataset, rows in summary[summary.dataset == summary.train_dataset].groupby("dataset", sort=False):
        by_splits = dict(list(rows[rows.student != LABEL_ONLY].groupby("splits")))
        for splits, students in sorted(by_splits.items(), reverse=True):
            names = " and ".join(dict.fromkeys(students.student))
            if splits == 1:
                sentences.append(f"{dataset}: {names} on a single split, an illustration that supports no claim.")
            elif splits < FEW_SPLITS:
                sentences.append(
                    f"{dataset}: {names} on {splits} splits, fewer than {FEW_SPLITS}; intervals and tests are weak."
                )
        if LABEL_ONLY not in set(rows.student):
            sentences.append(f"{dataset}: no distortion labels, so the label-only control is missing.")
        if RANDOM not in set(rows.selector):
            sentences.append(f"{dataset}: random selection was not run, so no selector can be judged.")
    return sentences


def _differing(row: pd.Series) -> tuple[str, str]:
    """Names of both sides by what differs; the keep rate only where the two differ in it."""
    named = [name for name in _CELL if row[name] != row[f"other_{name}"]]
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


def _rates(cells: pd.DataFrame) -> str:
    return ", ".join(f"{keep:g}" for keep in sorted(cells.keep))
