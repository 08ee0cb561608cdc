"""Budgets: how well a test image is scored from few of its patches, by who chooses them."""

import math
from collections.abc import Mapping
from dataclasses import replace

import numpy as np
import pandas as pd
import pyarrow as pa

from iqadistill.evaluation.enough_patches import enough_patches
from iqadistill.evaluation.jackknife import contents_estimate
from iqadistill.evaluation.learned_importance import learned_ranks
from iqadistill.evaluation.patch_scores import Chooser, PatchScores
from iqadistill.evaluation.random_rankings import compare_each_with_random
from iqadistill.evaluation.verdicts import LEVEL, Verdict, decide, undefined
from iqadistill.selection.random_draws import RandomRankings
from iqadistill.tables import ALL, AUTO, LEARNED, RANDOM, as_table, embedding_matrix

DRAWS = 99  # random rankings that a selector is ranked among, if there are few selectors
FEW = (1, 2, 3, *(2**power for power in range(2, 32)))  # numbers of patches, as far as images have more


def measure_budgets(
    patch_scores: pa.Table,
    images: pa.Table,
    splits: pa.Table,
    choosers: Mapping[str, Chooser],
    official: Mapping[str, int],
    *,
    placed: Chooser,
    embeddings: pa.Table,
    seed: int,
    margin: float,
    draws: int | None = None,
) -> pa.Table:
    """Score test images from the first 1, 2, 3, 4, 8, ... patches of every selector, and decide what each is worth.

    A selector is ranked among random rankings of the same number of patches, see `compare_with_random`, and compared
    with all patches with an error over contents and trainings, see `contents_estimate`. All selectors at one number of
    patches are one family of Holm's procedure. Beside them stand `learned`, see `learned_ranks`, and `auto`: placed
    patches, as many as the training images of each split show to be enough, see `enough_patches`.

    Args:
        patch_scores: Table "patch_scores" of one dataset, sampler, encoder and student.
        images: Table "images" of the dataset.
        splits: Table "splits" of the dataset.
        choosers: Selectors by name.
        official: Number of the official split of each dataset that has one; it takes part in nothing else.
        placed: Position as a choice of patches; its vectors are their places.
        embeddings: Table "embeddings", its rows in the order of the placed patches.
        seed: Seed of the study.
        margin: Largest difference in SRCC that does not matter.
        draws: Number of random rankings; default: 99, or more where Holm's procedure needs smaller p values.

    Returns:
        Table "budgets".

    Raises:
        InputError: A selector has not ranked a patch.
    """
    scores = PatchScores(patch_scores, images, official)
    counts = [count for count in FEW if count < scores.most]
    every_patch = scores.pooled(np.ones(len(scores.score)))
    whole = scores.srcc(every_patch[None])[:, 0]
    rows = scores.rows_of(placed.selection, "places")
    assert placed.vectors is not None
    learned = learned_ranks(scores, np.hstack([embedding_matrix(embeddings)[rows], placed.vectors[rows]]), splits)
    names = [*choosers, *([] if learned is None else [LEARNED])]
    draws = max(DRAWS, math.ceil(len(names) / LEVEL)) if draws is None else draws
    rankings = RandomRankings(scores.patches, seed=seed)
    ranks = [rankings.draw(number)["rank"].to_numpy() for number in range(draws)]
    table: list[dict[str, object]] = []
    by_place: dict[int, np.ndarray] = {}
    for count in counts:
        drawn = np.stack([scores.pooled((rank < count).astype(float)[scores.patch]) for rank in ranks])
        chosen = [scores.pooled(scores.chosen(name, chooser, count)) for name, chooser in choosers.items()]
        if learned is not None:
            chosen.append(scores.pooled((learned < count).astype(float)))
        by_place[count] = scores.pooled(scores.chosen("position", placed, count))
        together = np.stack([*chosen, *drawn])
        srcc = scores.srcc(together)
        among = compare_each_with_random(scores.by_split(together), len(names))
        means = srcc[:, len(names) :].mean(0)
        low, high = np.quantile(means, [0.025, 0.975])
        found = [
            {"selector": RANDOM, "srcc": means.mean(), "low": low, "high": high}
            | {"distance": np.abs(drawn - every_patch).mean()}
        ]
        for place, (name, one) in enumerate(zip(names, among, strict=True)):
            found.append(
                {"selector": name, "srcc": srcc[:, place].mean(), "below": one.below, "p": one.estimate.p}
                | {"distance": np.abs(chosen[place] - every_patch).mean(), "reason": one.estimate.reason}
            )
        against_random = decide([undefined("random itself"), *(one.estimate for one in among)], margin)
        of_random = contents_estimate(scores.by_split(np.stack([every_patch, *drawn])))
        of_chosen = [contents_estimate(scores.by_split(np.stack([one, every_patch]))) for one in chosen]
        against_all = decide([replace(of_random, difference=-of_random.difference), *of_chosen], margin)
        table += [
            {"patches": count, "draws": draws, **row}
            | ({} if row["selector"] == RANDOM else _facts(one))
            | _facts(other, "all_")
            for row, one, other in zip(found, against_random, against_all, strict=True)
        ]
    enough = enough_patches(scores, by_place, splits, margin=margin)
    auto = _by_number({**by_place, scores.most: every_patch}, scores.split, enough.by_split)
    srcc = scores.srcc(auto[None])[:, 0]
    (against,) = decide([contents_estimate(scores.by_split(np.stack([auto, every_patch])))], margin)
    table += [
        {"selector": AUTO, "patches": enough.count, "srcc": srcc.mean(), "distance": np.abs(auto - every_patch).mean()}
        | {"mean_patches": np.mean([enough.by_split[split] for split in scores.split]), **_facts(against, "all_")},
        {"selector": ALL, "patches": scores.most, "srcc": whole.mean(), "distance": 0.0},
    ]
    return as_table(pd.DataFrame(table).assign(**scores.names, splits=len(whole), margin=margin), "budgets")


def _by_number(pooled: Mapping[int, np.ndarray], split: np.ndarray, numbers: Mapping[int, int]) -> np.ndarray:
    """Scores (T,) of the tests, each by the number of patches of its split."""
    number = [list(pooled).index(numbers[one]) for one in split]
    return np.stack(list(pooled.values()))[number, np.arange(len(split))]


def _facts(one: Verdict, prefix: str = "") -> dict[str, object]:
    facts = {"verdict": one.verdict, "difference": one.difference, "difference_low": one.low}
    facts |= {"difference_high": one.high, "smallest_detectable": one.smallest_detectable}
    return {f"{prefix}{name}": value for name, value in facts.items()}
