"""What choosing is worth: students of chosen images among students of as many randomly drawn ones."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from iqadistill.evaluation.jackknife import SplitScores
from iqadistill.evaluation.random_rankings import AmongRandom, compare_with_random
from iqadistill.evaluation.verdicts import decide
from iqadistill.training.rank_correlation import rank_correlation

RANDOM = "random"
EVERY_IMAGE = "all"  # in place of a chooser: the student of all training images
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
        band_high, 95 % of the draws; for all others what `decide` decides. The row of chooser "all" has the mean number
        of training images as its budget.
    """
    rows: list[dict[str, Any]] = []
    for names, panel in choices.groupby(COLUMNS, sort=False):
        facts = dict(zip(COLUMNS, names, strict=True))
        content = images[facts["dataset"]].set_index("image_id").reference_id
        codes = pd.Series(pd.factorize(content)[0], content.index)
        everything = panel[panel.chooser == EVERY_IMAGE]
        rows.append(
            {**facts, "chooser": EVERY_IMAGE, "budget": float(everything.groupby("split").budget.first().mean())}
            | {"srcc": float(np.nanmean(_by_split(everything))), "splits": everything.split.nunique()}
        )
        for budget in budgets:
            of_budget = panel[(panel.budget == budget) & (panel.chooser != EVERY_IMAGE)]
            drawn = of_budget[of_budget.chooser == RANDOM]
            means = _by_split(drawn).mean(0)
            shared = {**facts, "budget": float(budget), "splits": of_budget.split.nunique(), "draws": len(means)}
            low, high = np.percentile(means, BAND)
            rows.append({**shared, "chooser": RANDOM, "srcc": means.mean(), "band_low": low, "band_high": high})
            chosen = {name: of_budget[of_budget.chooser == name] for name in choosers}
            found = {name: _among_draws(chosen[name], drawn, codes) for name in choosers}
            verdicts = decide([among.estimate for among in found.values()], margin)
            for (name, among), verdict in zip(found.items(), verdicts, strict=True):
                tested = {"below": among.below, "p": among.estimate.p, "reason": among.estimate.reason}
                srcc = float(_by_split(chosen[name]).mean())
                rows.append({**shared, "chooser": name, "srcc": srcc, **tested, **vars(verdict)})
    return pd.DataFrame(rows)


def _by_split(rows: pd.DataFrame) -> np.ndarray:
    """SRCC (S, R) of each split and draw."""
    return np.stack([rank_correlation(*_scored(of_split)) for _, of_split in rows.groupby("split")])


def _scored(of_split: pd.DataFrame) -> tuple[np.ndarray, np.ndarray]:
    """Predictions (R, n) of each draw, and scores (n,), of the images of one split in the order of their names."""
    table = of_split.pivot(index="draw", columns="image_id", values="prediction")
    scores = of_split.drop_duplicates("image_id").set_index("image_id").score
    return table.to_numpy(), scores[table.columns].to_numpy()


def _among_draws(chosen: pd.DataFrame, drawn: pd.DataFrame, codes: pd.Series) -> AmongRandom:
    tests = []
    draws = dict(list(drawn.groupby("split")))
    for split, of_split in chosen.groupby("split"):
        own, scores = _scored(of_split)
        random, _ = _scored(draws[split])
        names = sorted(of_split.image_id.unique())
        tests.append(SplitScores(np.vstack([own, random]), scores, codes[names].to_numpy()))
    return compare_with_random(tests)
