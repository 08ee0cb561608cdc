"""Many random rankings of the same patches, for tests of a selector against chance."""

import hashlib

import numpy as np
import pyarrow as pa

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
        image_ids = np.array(embeddings["image_id"].to_pylist(), dtype=str)
        self._images, group = np.unique(image_ids, return_inverse=True)
        order = np.argsort(group, kind="stable")
        self._members = np.split(order, np.flatnonzero(np.diff(group[order])) + 1) if len(order) else []

    def draw(self, number: int) -> pa.Table:
        """Table "selection" of one ranking: uniform, a function of seed, number and image alone."""
        rank = np.empty(len(self._patches), dtype=np.int32)
        for image, rows in zip(self._images, self._members, strict=True):
            digest = hashlib.sha256(f"{self.seed}/{number}/{image}".encode()).digest()
            rank[rows] = np.random.default_rng(int.from_bytes(digest[:8])).permutation(len(rows))
        return as_table(self._patches.append_column("rank", pa.array(rank)), "selection")
