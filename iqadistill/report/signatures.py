"""Signatures of failed trainings, as warnings: what curves over epochs and the metrics show by themselves."""

from collections.abc import Mapping

import numpy as np
import pandas as pd

from iqadistill.figures.drawing.variants import ALL, trained

DOMINANT = 0.8  # share of the loss from which on an auxiliary part dominates it
DROP = 0.02  # fall of the validation SRCC from its best epoch to the last that counts as overfitting
DISAGREEMENT = 0.1  # difference of SRCC and PLCC from which on they disagree
STUCK = "the training loss did not fall from the first epoch to the last"
QUALITY = "quality"  # the loss on the scores themselves: that it prevails is no failure
_RUN = ["train_dataset", "sampler", "encoder", "selector", "keep", "teacher", "student", "split"]


def training_warnings(histories: pd.DataFrame) -> list[str]:
    """Sentences about students whose training failed: its loss did not fall.

    Args:
        histories: Tables "history".
    """
    return [sentence for sentence in training_signatures(histories) if STUCK in sentence]


def training_notes(histories: pd.DataFrame) -> list[str]:
    """Sentences about trainings whose loss is dominated by an auxiliary part, or that overfitted.

    Args:
        histories: Tables "history".
    """
    return [sentence for sentence in training_signatures(histories) if STUCK not in sentence]


def training_signatures(histories: pd.DataFrame) -> list[str]:
    """Sentences about trainings that show a signature of failure.

    Args:
        histories: Tables "history".

    Returns:
        One sentence for each dataset, student and signature, with the number of trainings that show it.
    """
    sentences = []
    for (dataset, student), of_student in histories.groupby(["train_dataset", "student"], sort=False):
        runs = [run.sort_values("epoch") for _, run in of_student.groupby(_RUN, sort=False, dropna=False)]
        for signature, shown in _counted([signatures_of(run) for run in runs]).items():
            sentences.append(f"{dataset}, {student}: {signature} in {shown} of {len(runs)} trainings.")
    return sentences


def signatures_of(run: pd.DataFrame) -> list[str]:
    """Signatures of failure in one training.

    Args:
        run: Rows of table "history" of one training, by epoch.
    """
    found = []
    first, last = run.iloc[0], run.iloc[-1]
    if len(run) > 1 and last.loss >= first.loss:
        found.append(STUCK)
    for part, share in shares(last.parts).items():
        if part != QUALITY and share > DOMINANT:
            found.append(f"{part} makes up more than {DOMINANT:.0%} of the loss in the last epoch")
    if run.val_srcc.notna().any():
        best = run.loc[run.val_srcc.idxmax()]
        if best.val_srcc - last.val_srcc > DROP and last.loss < best.loss:
            found.append(
                f"the validation SRCC fell by more than {DROP:g} after its best epoch while the training loss went on "
                "falling (overfitting)"
            )
    return found


def shares(parts: object) -> dict[str, float]:
    """Share of each part in the sum of their magnitudes; empty where the loss has no parts."""
    if not isinstance(parts, list | np.ndarray | Mapping):
        return {}
    values = dict(parts)
    total = sum(abs(value) for value in values.values())
    return {name: abs(value) / total for name, value in values.items()} if total > 0 else {}


def disagreement_warnings(summary: pd.DataFrame) -> list[str]:
    """One sentence for each student whose SRCC and PLCC on all patches disagree.

    Args:
        summary: Table "summary".
    """
    rows = trained(summary)
    levels = rows[rows.selector == ALL].pivot_table(
        index=["dataset", "sampler", "encoder", "student"], columns="metric", values="mean", sort=False
    )
    if not {"srcc", "plcc"} <= set(levels.columns):
        return []
    apart = levels[(levels.srcc - levels.plcc).abs() > DISAGREEMENT]
    return [
        f"{dataset}, {student} ({sampler}): SRCC {row.srcc:.3f} and PLCC {row.plcc:.3f} disagree: look at the "
        "predictions for outliers or a scale that the logistic does not straighten."
        for (dataset, sampler, _, student), row in apart.iterrows()
    ]


def _counted(found: list[list[str]]) -> dict[str, int]:
    """Number of trainings that show each signature."""
    counts: dict[str, int] = {}
    for signature in (signature for run in found for signature in run):
        counts[signature] = counts.get(signature, 0) + 1
    return counts
