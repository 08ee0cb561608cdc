"""The first screen of a report: what was asked, how well the students do, how many patches are enough, what it cost."""

from collections.abc import Mapping

import numpy as np
import pandas as pd

from iqadistill.figures.drawing.variants import ALL, RANDOM, against_all, in_panel, trained

_TABLE = ["dataset", "sampler", "encoder", "student"]


def level_sentences(summary: pd.DataFrame, verdicts: pd.DataFrame, ceilings: Mapping[str, float]) -> list[str]:
    """How well the students of the primary comparisons do on all patches.

    Args:
        summary: Table "summary".
        verdicts: Table "verdicts".
        ceilings: Noise ceiling (SRCC) of a dataset by its name, where it is known.
    """
    sides = [verdicts[_TABLE], verdicts[[f"other_{name}" if name != "dataset" else name for name in _TABLE]]]
    named = pd.concat([side.set_axis(_TABLE, axis=1) for side in sides]).drop_duplicates()
    rows = trained(summary)
    rows = rows[(rows.metric == "srcc") & rows.selector.isin([ALL, ""])]
    sentences = []
    for side in named.itertuples(index=False):
        of_student = in_panel(rows, (side.dataset, side.sampler, side.encoder), student=side.student)
        for row in of_student.itertuples():
            interval = f" [{row.low:.3f}, {row.high:.3f}]" if np.isfinite(row.low) else ""
            where = f" ({side.sampler}, {side.encoder}, all patches)" if side.sampler else ""
            ceiling = ceilings.get(side.dataset)
            limit = f"; noise in the scores limits it to about {ceiling:.2f}" if ceiling is not None else ""
            sentences.append(f"{side.student} has an SRCC of {row.mean:.3f}{interval} on {side.dataset}{where}{limit}.")
    return sentences


def enough_sentences(comparisons: pd.DataFrame) -> list[str]:
    """The lowest keep rate at which random patches are equivalent to all of them, for each sweep.

    Args:
        comparisons: Table "comparisons".
    """
    pairs = against_all(comparisons)
    pairs = pairs[(pairs.metric == "srcc") & (pairs.selector == RANDOM)]
    sentences = []
    for names, rows in pairs.groupby(_TABLE, sort=False):
        dataset, sampler, encoder, student = names
        enough = rows[rows.verdict == "equivalent"].keep
        tried = ", ".join(f"{keep:g}" for keep in sorted(rows.keep))
        rate = f"keep {enough.min():g} is" if len(enough) else f"none of keep {tried} is shown to be"
        where = f"{dataset} ({student}, {sampler}, {encoder})"
        sentences.append(f"Training on fewer patches of {where}, chosen at random: {rate} equivalent to all.")
    return sentences


def cost_sentence(costs: pd.DataFrame) -> str:
    """What the study took.

    Args:
        costs: Table "costs".
    """
    hours = costs.seconds.sum() / 3600
    time = f"{hours:.1f} hours" if hours >= 1 else f"{60 * hours:.0f} minutes"
    return f"Embedding, selection, training and scoring, {len(costs)} jobs, took {time}, added up."
