"""Scores of single patches, grouped by split and image, and what they make of an image when some are looked at."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
import pyarrow as pa

from iqadistill.errors import InputError
from iqadistill.evaluation.jackknife import SplitScores
from iqadistill.evaluation.random_splits import over_random_splits
from iqadistill.sampling.placement import shares
from iqadistill.training.rank_correlation import rank_correlation


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


class PatchScores:
    """Patch scores as rows, sorted by split, image and patch; a test is an image of a split, and has several rows.

    Args:
        table: Table "patch_scores" of one dataset, sampler, encoder and student.
        images: Table "images" of the dataset.
        official: Number of the official split of each dataset that has one; its rows are left out.

    Attributes:
        names: Values of the columns dataset, sampler, encoder and student.
        patches: Table with the columns patch_id and image_id, each patch once.
        patch_id: Identifiers (N,) of these patches.
        members: Places of each image's patches in `patches`.
        most: Largest number of an image's patches.
        score: Score (R,) of each row.
        patch: Place (R,) of its patch in `patches`.
        test: Number (R,) of its test.
        split: Split (T,) of each test.
        image: Image_id (T,) of each test.
        quality: Quality (T,) of its image.
    """

    def __init__(self, table: pa.Table, images: pa.Table, official: Mapping[str, int]):
        frame = table.to_pandas()
        self.names: dict[str, str] = {
            name: frame[name].iloc[0] for name in ("dataset", "sampler", "encoder", "student")
        }
        frame = over_random_splits(frame.assign(train_dataset=self.names["dataset"]), official)
        frame = frame.sort_values(["split", "image_id", "patch_id"], kind="stable")
        once = frame[["image_id", "patch_id"]].drop_duplicates().sort_values(["image_id", "patch_id"])
        self.patches = pa.Table.from_pandas(once[["patch_id", "image_id"]], preserve_index=False)
        self.patch_id, image = once.patch_id.to_numpy(), once.image_id.to_numpy()
        self.members = np.split(np.arange(len(image)), np.flatnonzero(image[1:] != image[:-1]) + 1)
        self.most = max(map(len, self.members))
        self.score = frame.score.to_numpy()
        self.patch = pd.Index(self.patch_id).get_indexer(frame.patch_id)
        first = ~frame.duplicated(["split", "image_id"]).to_numpy()
        self.test = np.cumsum(first) - 1
        self._starts = np.flatnonzero(first)
        tests = frame[first]
        self.split, self.image = tests.split.to_numpy(), tests.image_id.to_numpy()
        facts = images.select(["image_id", "quality", "reference_id"]).to_pandas().set_index("image_id")
        self.quality = facts.quality.loc[self.image].to_numpy()
        self._content = pd.factorize(facts.reference_id)[0][facts.index.get_indexer(self.image)]

    def pooled(self, weight: np.ndarray) -> np.ndarray:
        """Scores (T,) of the tests, by a weight (R,) of each row."""
        return np.add.reduceat(weight * self.score, self._starts) / np.add.reduceat(weight, self._starts)

    def chosen(self, name: str, chooser: Chooser, count: int) -> np.ndarray:
        """Weight (R,) of each row where a selector chooses `count` patches of every image.

        Args:
            name: Name of the selector in messages.
            chooser: The selector.
            count: Number of patches.

        Raises:
            InputError: The selector has not ranked a patch.
        """
        rows = self.rows_of(chooser.selection, f"selection of {name}")
        first = chooser.selection["rank"].to_numpy()[rows] < count
        weight = first.astype(float)
        if chooser.vectors is not None:
            for members in self.members:
                vectors = chooser.vectors[rows[members]]
                weight[members[first[members]]] = shares(vectors[first[members]], vectors)
        return weight[self.patch]

    def rows_of(self, table: pa.Table, what: str) -> np.ndarray:
        """Row (N,) of each patch in a table with the column patch_id.

        Raises:
            InputError: The table lacks a patch.
        """
        rows = pd.Index(table["patch_id"].to_numpy()).get_indexer(self.patch_id)
        if (rows < 0).any():
            missing = self.patch_id[int(np.argmin(rows))]
            raise InputError(f"{what}: patch {missing} is missing; run select_patches again.")
        return rows

    def by_split(self, pooled: np.ndarray) -> Sequence[SplitScores]:
        """Test images of each split with several scores (M, T)."""
        splits = np.split(np.arange(len(self.split)), np.flatnonzero(np.diff(self.split)) + 1)
        return self.of_tests(pooled, splits)

    def of_tests(self, pooled: np.ndarray, tests: Sequence[np.ndarray]) -> Sequence[SplitScores]:
        """Some test images of each split, as masks (T,) or numbers, with several scores (M, T)."""
        return [SplitScores(pooled[:, one], self.quality[one], self._content[one]) for one in tests]

    def srcc(self, pooled: np.ndarray) -> np.ndarray:
        """SRCC (S, M) on each split of several scores (M, T)."""
        return np.stack([rank_correlation(one.predictions, one.scores) for one in self.by_split(pooled)])


def training_images(splits: pa.Table) -> dict[int, set[str]]:
    """Training images of each split of a table "splits"."""
    rows = splits.to_pandas().query("role == 'train'")
    return {int(split): set(names) for split, names in rows.groupby("split").image_id}
