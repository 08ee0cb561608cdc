"""What choosing is worth: students of chosen images among students of as many randomly drawn ones."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from iqadistill.evaluation.random_rankings import compare_students_with_random
from iqadistill.evaluation.verdicts import decide
from iqadistill.tables import ALL, RANDOM
from iqadistill.training.rank_correlation import rank_correlation

COLUMNS = ["dataset", "sampler", "encoder", "student"]
BAND = (2.5, 97.5)  # percentiles of the random draws


def label_efficiency(
    choices: pd.DataFrame,
    images: Mapping[str, pd.DataFrame],
    *,
    budgets: Sequence[int],
    choosers: Sequence[str],
    margin: float,
) -> pd.DataFrame:
    """SRCC by chooser and number of rated training images, and what it decides against random draws.

    A chooser is ranked among the random draws of the same budget, see `compare_with_random`. The choosers of a budget
    are decided together, as one family of Holm's procedure.

    Args:
        choices: Table "choices".
        images: Table "images" of each dataset by its name.
        budgets: Numbers of training images to compare at.
        choosers: Choosers to compare.
        margin: Largest difference in SRCC that does not matter.

    Returns:
        A row for each chooser and budget: srcc, the mean over splits; for random the mean over draws, with band_low and
        band_high, 95 % of the draws; for all others what `decide` decides, and worth, worth_low and worth_high of
        `worth_in_random`. The row of chooser "all" has the mean number of training images as its budget.
    """
    rows: list[dict[str, Any]] = []
    for names, panel in choices.groupby(COLUMNS, sort=False):
        facts = dict(zip(COLUMNS, names, strict=True))
        contents = images[facts["dataset"]].set_index("image_id").reference_id.to_dict()
        everything = panel[panel.chooser == ALL]
        rows.append(
            {**facts, "chooser": ALL, "budget": float(everything.groupby("split").budget.first().mean())}
            | {"srcc": float(_by_split(everything).mean()), "splits": everything.split.nunique()}
        )
        for budget in budgets:
            of_budget = panel[(panel.budget == budget) & (panel.chooser != ALL)]
            drawn = of_budget[of_budget.chooser == RANDOM]
            means = _by_split(drawn).mean(0)
            shared = {**facts, "budget": float(budget), "splits": of_budget.split.nunique(), "draws": len(means)}
            low, high = np.percentile(means, BAND)  # NaN where a draw has no SRCC on a split
            rows.append({**shared, "chooser": RANDOM, "srcc": means.mean(), "band_low": low, "band_high": high})
            chosen = {name: of_budget[of_budget.chooser == name] for name in choosers}
            found = compare_students_with_random(chosen, drawn, contents, family=len(choosers))
            verdicts = decide([among.estimate for among in found.values()], margin)
            for (name, among), verdict in zip(found.items(), verdicts, strict=True):
                tested = {"below": among.below, "p": among.estimate.p, "reason": among.estimate.reason}
                srcc = float(_by_split(chosen[name]).mean())
                rows.append({**shared, "chooser": name, "srcc": srcc, **tested, **vars(verdict)})
    table = pd.DataFrame(rows)
    return table.join(pd.concat([worth_in_random(panel) for _, panel in table.groupby(COLUMNS, sort=False)]))


def worth_in_random(panel: pd.DataFrame) -> pd.DataFrame:
    """How many randomly drawn training images lead to the SRCC that chosen ones lead to.

    The mean SRCC of the random draws is interpolated over the logarithm of their number, up to all training images; the
    range comes from the band that holds 95 % of the draws. Where the curve falls it is taken as level.

    Args:
        panel: Rows of one student: chooser, budget, srcc, band_low and band_high.

    Returns:
        Columns worth, worth_low and worth_high of the rows of choosers, in numbers of images: 0 below the smallest
        number that was drawn, infinite above all training images, NaN where an SRCC is undefined.
    """
    whole, random = panel[panel.chooser == ALL].iloc[0], panel[panel.chooser == RANDOM].sort_values("budget")
    chosen = panel[~panel.chooser.isin([ALL, RANDOM])]
    budgets = np.log([*random.budget, whole.budget])
    # the lower end of the band needs more images to come up to an SRCC than the upper one
    curves = {"worth": random.srcc, "worth_low": random.band_high, "worth_high": random.band_low}
    columns = {}
    for name, values in curves.items():
        curve = np.maximum.accumulate([*values, whole.srcc])
        columns[name] = [_crossing(curve, budgets, srcc) for srcc in chosen.srcc]
    return pd.DataFrame(columns, index=chosen.index, dtype=float)


def _crossing(curve: np.ndarray, log_budgets: np.ndarray, srcc: float) -> float:
    """Number of images at which a rising curve comes up to an SRCC."""
    if not np.isfinite([*curve, srcc]).all():
        return np.nan
    place = int(np.searchsorted(curve, srcc))
    if place == 0:
        return float(np.exp(log_budgets[0])) if srcc == curve[0] else 0.0
    if place == len(curve):
        return np.inf
    share = (srcc - curve[place - 1]) / (curve[place] - curve[place - 1])
    return float(np.exp(log_budgets[place - 1] + share * (log_budgets[place] - log_budgets[place - 1])))


def _by_split(rows: pd.DataFrame) -> np.ndarray:
    """SRCC (S, R) of each split and draw."""
    return np.stack([rank_correlation(*_scored(of_split)) for _, of_split in rows.groupby("split")])


def _scored(of_split: pd.DataFrame) -> tuple[np.ndarray, np.ndarray]:
    """Predictions (R, n) of each draw, and scores (n,), of the images of one split in the order of their names."""
    table = of_split.pivot(index="draw", columns="image_id", values="prediction")
    scores = of_split.drop_duplicates("image_id").set_index("image_id").score
    return table.to_numpy(), scores[table.columns].to_numpy()
