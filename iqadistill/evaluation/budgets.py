"""Budgets: how well a test image is scored from few of its patches, by who chooses them."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
import pyarrow as pa

from iqadistill.errors import InputError
from iqadistill.evaluation.random_rankings import SplitScores, compare_with_random
from iqadistill.evaluation.random_splits import over_random_splits, split_sizes
from iqadistill.evaluation.verdicts import LEVEL, Estimate, Verdict, decide, paired_estimate, undefined
from iqadistill.sampling.placement import shares
from iqadistill.selection.random_draws import RandomRankings
from iqadistill.tables import ALL, RANDOM, as_table
from iqadistill.training.rank_correlation import rank_correlation

DRAWS = 99  # random rankings that a selector is ranked among, if there are few selectors


@dataclass(frozen=True)
class Chooser:
    """A selector as a choice of the patches that are looked at.

    Attributes:
        selection: Table "selection".
        vectors: Vectors (N, d) of the patches of `selection`, by which the first of an image stand for those nearest to
            them; None where all of them count alike.
    """

    selection: pa.Table
    vectors: np.ndarray | None = None


def measure_budgets(
    patch_scores: pa.Table,
    images: pa.Table,
    splits: pa.Table,
    choosers: Mapping[str, Chooser],
    official: Mapping[str, int],
    *,
    seed: int,
    margin: float,
    draws: int | None = None,
) -> pa.Table:
    """Score test images from the first 1, 2, 4, ... patches of every selector, and decide what each is worth.

    A selector is ranked among random rankings of the same number of patches, see `compare_with_random`, and compared
    with all patches by the corrected resampled t-test on the splits. All selectors at one number of patches are one
    family of Holm's procedure.

    Args:
        patch_scores: Table "patch_scores" of one dataset, sampler, encoder and student.
        images: Table "images" of the dataset.
        splits: Table "splits" of the dataset.
        choosers: Selectors by name.
        official: Number of the official split of each dataset that has one; it takes part in nothing else.
        seed: Seed of the study.
        margin: Largest difference in SRCC that does not matter.
        draws: Number of random rankings; default: 99, or more where Holm's procedure needs smaller p values.

    Returns:
        Table "budgets".

    Raises:
        InputError: A selector has not ranked a patch.
    """
    scores = _PatchScores(patch_scores, images, official)
    draws = max(DRAWS, math.ceil(len(choosers) / LEVEL)) if draws is None else draws
    counts = [2**power for power in range(32) if 2**power < scores.most]
    everything = scores.pooled(np.ones(len(scores.patch_id)))[None]
    whole = scores.srcc(everything)[:, 0]
    sizes = split_sizes({scores.dataset: splits}, official)[scores.dataset]
    rankings = RandomRankings(scores.patches, seed=seed)
    ranks = [rankings.draw(number)["rank"].to_numpy() for number in range(draws)]
    table: list[dict[str, object]] = []
    for count in counts:
        drawn = np.stack([scores.pooled((rank < count).astype(float)) for rank in ranks])
        srcc = scores.srcc(drawn)
        means = srcc.mean(0)
        low, high = np.quantile(means, [0.025, 0.975])
        rows = [
            {"selector": RANDOM, "patches": count, "srcc": means.mean(), "low": low, "high": high, "draws": draws}
            | {"distance": np.abs(drawn - everything).mean()}
        ]
        against_random = [undefined("random itself")]
        against_all = [_against_all(srcc.mean(1), whole, sizes)]
        for name, chooser in choosers.items():
            pooled = scores.pooled(scores.weights(name, chooser, count))[None]
            among = compare_with_random(scores.by_split(np.vstack([pooled, drawn])))
            srcc = scores.srcc(pooled)[:, 0]
            rows.append(
                {"selector": name, "patches": count, "srcc": srcc.mean(), "draws": draws, "below": among.below}
                | {"distance": np.abs(pooled - everything).mean(), "p": among.estimate.p}
                | {"reason": among.estimate.reason}
            )
            against_random.append(among.estimate)
            against_all.append(_against_all(srcc, whole, sizes))
        verdicts = zip(rows, decide(against_random, margin), decide(against_all, margin), strict=True)
        table += [
            {
                **row,
                **({} if row["selector"] == RANDOM else _facts(one)),
                **{f"all_{name}": value for name, value in _facts(other).items()},
            }
            for row, one, other in verdicts
        ]
    table.append({"selector": ALL, "patches": scores.most, "srcc": whole.mean(), "distance": 0.0})
    return as_table(pd.DataFrame(table).assign(**scores.names, splits=len(whole), margin=margin), "budgets")


class _PatchScores:
    """Patch scores, grouped by split and image.

    Attributes:
        names: Values of the columns dataset, sampler, encoder and student.
        patches: Table with the columns patch_id and image_id, each patch once.
        most: Largest number of an image's patches.
    """

    def __init__(self, table: pa.Table, images: pa.Table, official: Mapping[str, int]):
        frame = table.to_pandas()
        self.names = {name: frame[name].iloc[0] for name in ("dataset", "sampler", "encoder", "student")}
        self.dataset: str = self.names["dataset"]
        frame = over_random_splits(frame.assign(train_dataset=self.dataset), official)
        frame = frame.sort_values(["split", "image_id", "patch_id"], kind="stable")
        once = frame[["image_id", "patch_id"]].drop_duplicates().sort_values(["image_id", "patch_id"])
        self.patches = pa.Table.from_pandas(once[["patch_id", "image_id"]], preserve_index=False)
        self.patch_id, image = once.patch_id.to_numpy(), once.image_id.to_numpy()
        self._image = np.split(np.arange(len(image)), np.flatnonzero(image[1:] != image[:-1]) + 1)
        self.most = max(map(len, self._image))
        self._patch = pd.Index(self.patch_id).get_indexer(frame.patch_id)
        self._score = frame.score.to_numpy()
        first = ~frame.duplicated(["split", "image_id"]).to_numpy()
        self._starts = np.flatnonzero(first)
        tests = frame[first][["split", "image_id"]]
        self._splits = np.split(np.arange(len(tests)), np.flatnonzero(np.diff(tests.split)) + 1)
        facts = images.select(["image_id", "quality", "reference_id"]).to_pandas().set_index("image_id")
        self._quality = facts.quality.loc[tests.image_id].to_numpy()
        self._content = pd.factorize(facts.reference_id)[0][facts.index.get_indexer(tests.image_id)]

    def pooled(self, weight: np.ndarray) -> np.ndarray:
        """Scores (T,) of the test images of all splits, by a weight (N,) of each patch."""
        of_row = weight[self._patch]
        return np.add.reduceat(of_row * self._score, self._starts) / np.add.reduceat(of_row, self._starts)

    def weights(self, name: str, chooser: Chooser, count: int) -> np.ndarray:
        """Weight (N,) of each patch where a selector chooses `count` of every image."""
        rows = pd.Index(chooser.selection["patch_id"].to_numpy()).get_indexer(self.patch_id)
        if (rows < 0).any():
            missing = self.patch_id[int(np.argmin(rows))]
            raise InputError(f"selection of {name}: patch {missing} is missing; run select_patches again.")
        chosen = chooser.selection["rank"].to_numpy()[rows] < count
        weight = chosen.astype(float)
        if chooser.vectors is not None:
            for members in self._image:
                vectors = chooser.vectors[rows[members]]
                weight[members[chosen[members]]] = shares(vectors[chosen[members]], vectors)
        return weight

    def by_split(self, pooled: np.ndarray) -> Sequence[SplitScores]:
        """Test images of each split with several scores (M, T)."""
        return [SplitScores(pooled[:, one], self._quality[one], self._content[one]) for one in self._splits]

    def srcc(self, pooled: np.ndarray) -> np.ndarray:
        """SRCC (S, M) on each split of several scores (M, T)."""
        return np.stack([rank_correlation(one.predictions, one.scores) for one in self.by_split(pooled)])


def _against_all(srcc: np.ndarray, whole: np.ndarray, sizes: tuple[float, float]) -> Estimate:
    return paired_estimate(pd.Series(srcc), pd.Series(whole), *sizes)


def _facts(one: Verdict) -> dict[str, object]:
    interval = {"difference": one.difference, "difference_low": one.low, "difference_high": one.high}
    return {"verdict": one.verdict, **interval, "smallest_detectable": one.smallest_detectable}
