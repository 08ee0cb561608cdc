"""Warnings about metrics that are undefined on some split."""

import pandas as pd

from iqadistill.evaluation.label_only import STUDENT as LABEL_ONLY
from iqadistill.evaluation.verdicts import without_metric
from iqadistill.table_schemas import VARIANT_OVER_SPLITS
from iqadistill.tables import ALL

NAMED = 3  # variants that a sentence names; it counts the others


def undefined_warnings(metrics: pd.DataFrame) -> list[str]:
    """One sentence per dataset and student whose SRCC is undefined on some split: which variants, which splits, why.

    Args:
        metrics: Table "metrics".
    """
    sentences = []
    for (dataset, student), of_student in metrics.groupby(["dataset", "student"], sort=False):
        named = []
        for names, rows in of_student.groupby(VARIANT_OVER_SPLITS, sort=False):
            missing = rows[rows.srcc.isna()]
            if len(missing):
                variant = dict(zip(VARIANT_OVER_SPLITS, names, strict=True))
                named.append(without_metric(_name(variant, dataset), "SRCC", sorted(missing.split), len(rows)))
        if named:
            more = f"; so have {len(named) - NAMED} more variants" if len(named) > NAMED else ""
            who = "the distortion label alone" if student == LABEL_ONLY else student
            sentences.append(
                f"{dataset}, {who}: {'; '.join(named[:NAMED])}{more}. Its mean and all its comparisons are undefined."
            )
    return sentences


def _name(variant: dict[str, str | float], dataset: str) -> str:
    """Name of a variant by its selection, sampler and encoder, and its training dataset if that is another one."""
    selector = variant["selector"]
    selection = (
        "it" if not selector else "all patches" if selector == ALL else f"{selector} at keep {variant['keep']:g}"
    )
    facts = [str(variant[name]) for name in ("sampler", "encoder") if variant[name]]
    facts += [f"trained on {variant['train_dataset']}"] if variant["train_dataset"] != dataset else []
    where = ", ".join(facts)
    return f"{selection} ({where})" if where else selection
