"""Many random rankings of the same patches, for tests of a selector against chance."""

import numpy as np
import pyarrow as pa

from iqadistill.selection.ranking import image_seed, rows_by_image
from iqadistill.tables import as_table


class RandomRankings:
    """Random rankings of the patches of an embeddings table, one by one.

    Args:
        embeddings: Table "embeddings", or any table with its columns `patch_id` and `image_id`.
        seed: Seed of the study.
    """

    def __init__(self, embeddings: pa.Table, *, seed: int):
        self.seed = seed
        self._patches = embeddings.select(["patch_id", "image_id"])
        self._images, self._members = rows_by_image(self._patches)

    def draw(self, number: int) -> pa.Table:
        """Table "selection" of one ranking: uniform, a function of seed, number and image alone."""
        rank = np.empty(len(self._patches), dtype=np.int32)
        for image, rows in zip(self._images, self._members, strict=True):
            rank[rows] = np.random.default_rng(image_seed(self.seed, number, image)).permutation(len(rows))
        return as_table(self._patches.append_column("rank", pa.array(rank)), "selection")
