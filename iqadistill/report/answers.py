"""The first screen of a report: what was asked, how well the students do, how many patches are enough, what it cost."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from iqadistill.figures.drawing.variants import ALL, RANDOM, against_all, in_panel, trained
from iqadistill.report.verdicts import plain
from iqadistill.tables import AUTO

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
            if not np.isfinite(row.mean):
                sentences.append(f"{side.student} on {side.dataset}: the SRCC is undefined, see the caveats.")
                continue
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
        unknown = ", ".join(f"{keep:g}" for keep in sorted(rows[rows.verdict == "undefined"].keep))
        undefined = f" Undefined at keep {unknown}." if unknown else ""
        sentences.append(
            f"Training on fewer patches of {where}, chosen at random: {rate} equivalent to all.{undefined}"
        )
    return sentences


def budget_sentences(rows: pd.DataFrame) -> list[str]:
    """How many patches of an image are enough to look at, a sentence for each student.

    Args:
        rows: Tables of the figures "budget"; without rows where the study has none.
    """
    sentences = []
    for names, of_student in rows.groupby(_TABLE, sort=False) if len(rows) else ():
        dataset, sampler, encoder, student = names
        auto, every = (of_student[of_student.selector == name].iloc[0] for name in (AUTO, ALL))
        where = f"{dataset} ({student}, {sampler}, {encoder})"
        if auto.patches >= every.patches:
            sentences.append(
                f"No number of patches below all {every.patches} is shown to be enough for images of {where}."
            )
            continue
        difference = f"{auto.all_difference:+z.3f} [{auto.all_difference_low:.3f}, {auto.all_difference_high:.3f}]"
        sentences.append(
            f"Looking at {auto.patches} of {every.patches} patches of images of {where}, by their places, is enough, in"
            f" {auto.milliseconds:.0f} ms instead of {every.milliseconds:.0f}. With as many as the training images of"
            f" a split say ({auto.mean_patches:.1f} on average), its test images are scored with an SRCC of"
            f" {auto.srcc:.3f}; compared with all patches {auto.all_verdict}, {difference}, margin {auto.margin:g}."
        )
    return sentences


def budget_objects(rows: pd.DataFrame) -> list[dict[str, Any]]:
    """How many patches are enough, as JSON can hold it.

    Args:
        rows: Tables of the figures "budget".
    """
    if rows.empty:
        return []
    columns = [*_TABLE, "patches", "mean_patches", "srcc", "milliseconds", "all_verdict", "all_difference"]
    columns += ["all_difference_low", "all_difference_high", "all_smallest_detectable", "margin"]
    auto = rows[rows.selector == AUTO][columns].rename(columns=lambda name: name.removeprefix("all_"))
    return _objects(auto)


def ratings_sentences(rows: pd.DataFrame) -> list[str]:
    """How many random ratings chosen ones are worth, a sentence for each student and chooser.

    Args:
        rows: Tables of the figures "label_efficiency"; without rows where the study has none.
    """
    sentences = []
    chosen = rows[~rows.chooser.isin([ALL, RANDOM])] if len(rows) else rows
    for names, of_chooser in chosen.groupby([*_TABLE, "chooser"], sort=False) if len(chosen) else ():
        dataset, sampler, encoder, student, chooser = names
        drawn = in_panel(rows, (dataset, sampler, encoder), student=student)
        smallest, most = drawn.budget.min(), drawn.budget.max()
        parts = [_worth(row, smallest, most) for _, row in of_chooser.sort_values("budget").iterrows()]
        sentences.append(
            f"Rated training images of {dataset} ({student}, {sampler}, {encoder}) chosen by {chooser} compare with"
            f" random ones so: {'; '.join(parts)}. Ranges are those of 95 % of the random draws; the verdicts, against"
            " as many random ones, are exploratory."
        )
    return sentences


def ratings_objects(rows: pd.DataFrame) -> list[dict[str, Any]]:
    """What chosen ratings are worth in random ones, as JSON can hold it; null where a number is not known or no bound.

    Args:
        rows: Tables of the figures "label_efficiency".
    """
    if rows.empty:
        return []
    columns = [*_TABLE, "chooser", "budget", "srcc", "worth", "worth_low", "worth_high", "verdict", "difference"]
    columns += ["low", "high", "margin", "smallest_detectable", "draws", "reason"]
    chosen = rows[~rows.chooser.isin([ALL, RANDOM])][columns]
    return _objects(chosen)


def _objects(rows: pd.DataFrame) -> list[dict[str, Any]]:
    return [{name: plain(value) for name, value in row.items()} for _, row in rows.iterrows()]


def _worth(row: pd.Series, smallest: float, most: float) -> str:
    """What one number of chosen images is worth in random ones, with its verdict."""
    if not np.isfinite(row.srcc) or np.isnan(row.worth):
        return f"{row.budget:g} chosen: undefined ({row.reason or 'an SRCC of the random curve is undefined'})"

    def number(value: float) -> str:
        if value == 0:
            return f"fewer than {smallest:g}"
        return f"more than {most:.0f}" if np.isinf(value) else f"{value:.0f}"

    spread = f" ({number(row.worth_low)} to {number(row.worth_high)})" if row.worth_low != row.worth_high else ""
    about = "about " if 0 < row.worth < np.inf else ""
    return f"{row.budget:g} chosen are worth {about}{number(row.worth)}{spread}, {row.verdict}"


def cost_sentence(costs: pd.DataFrame) -> str:
    """What the study took.

    Args:
        costs: Table "costs".
    """
    hours = costs.seconds.sum() / 3600
    time = f"{hours:.1f} hours" if hours >= 1 else f"{60 * hours:.0f} minutes"
    return f"Embedding, selection, training and scoring, {len(costs)} jobs, took {time}, added up."
