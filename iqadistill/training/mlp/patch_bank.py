"""Embeddings of a set of images, and which of their patches a selector keeps."""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
import pyarrow as pa
import torch

from iqadistill.errors import InputError
from iqadistill.selection.base import keep_count
from iqadistill.tables import ALL, embedding_matrix


class PatchBank:
    """Embeddings of some images, grouped by image.

    Args:
        embeddings: Table "embeddings"; rows of other images are left out.
        image_ids: The images; their positions in this sequence address them.
        device: Device of the embeddings.

    Attributes:
        embeddings: Tensor (N, d), float32, the patches of the first image first.
        counts: Patches of each image, (I,).
        starts: Row of each image's first patch, (I,).
        patch_id: (N,).

    Raises:
        InputError: An image has no embedding, or one that is not finite.
    """

    def __init__(self, embeddings: pa.Table, image_ids: Sequence[str], device: str | torch.device = "cpu"):
        image = pd.Index(image_ids).get_indexer(embeddings["image_id"].to_pandas())
        rows = np.argsort(image, kind="stable")
        rows = rows[np.count_nonzero(image < 0) :]
        self.image = image[rows]
        self.image_ids = list(image_ids)
        self.counts = np.bincount(self.image, minlength=len(self.image_ids))
        self.starts = np.cumsum(self.counts) - self.counts
        if not self.counts.all():
            missing = self.image_ids[int(np.argmin(self.counts))]
            raise InputError(f"embeddings: image {missing!r} has none; run the embedding stage on this dataset again.")
        vectors = embedding_matrix(embeddings)[rows]
        finite = np.isfinite(vectors).all(axis=1)
        if not finite.all():
            broken = self.image_ids[self.image[int(np.argmin(finite))]]
            raise InputError(f"embeddings: image {broken!r} has a value that is not finite; embed its patches again.")
        self.patch_id = embeddings["patch_id"].to_numpy()[rows]
        self.embeddings = torch.from_numpy(vectors).to(device)

    def aligned(self, patch_id: np.ndarray, values: np.ndarray, source: str) -> np.ndarray:
        """Values (N,) in the order of the bank's patches.

        Args:
            patch_id: Patches that the values belong to.
            values: A value for each of them.
            source: Table that they come from, as the message names it.

        Raises:
            InputError: A patch of the bank is not among them.
        """
        order = np.argsort(patch_id)
        rows = np.searchsorted(patch_id, self.patch_id, sorter=order)
        rows = order[np.minimum(rows, len(order) - 1)] if len(order) else np.zeros(len(self.patch_id), int)
        matches = patch_id[rows] == self.patch_id if len(order) else np.zeros(len(self.patch_id), bool)
        if not matches.all():
            missing = int(np.argmin(matches))
            image = self.image_ids[self.image[missing]]
            raise InputError(
                f"{source}: patch {self.patch_id[missing]} of image {image!r} is missing; run that stage again."
            )
        return values[rows]

    def kept(self, selector: str, keep: float, selections: Mapping[str, pa.Table]) -> tuple[np.ndarray, np.ndarray]:
        """Rows of the patches that are kept of each image.

        Args:
            selector: Name in `selections`, or "all" for a keep rate of 1.
            keep: Fraction of an image's patches, in (0, 1].
            selections: Tables "selection" by the name of the selector.

        Returns:
            Rows (I, k), int32, with k the largest number of kept patches, and a mask (I, k) that is false where an
            image keeps fewer and the row has no meaning.

        Raises:
            InputError: The selector has no ranking, or its table lacks a patch.
        """
        order = np.arange(len(self.patch_id))
        if selector in selections:
            table = selections[selector]
            rank = self.aligned(table["patch_id"].to_numpy(), table["rank"].to_numpy(), f"selection {selector!r}")
            order = np.lexsort((rank, self.image))
        elif selector != ALL or keep != 1.0:
            raise InputError(
                f"selector {selector!r} at keep {keep:g}: no ranking is given; add its table, or use 'all' at keep 1."
            )
        sizes = np.array([keep_count(int(count), keep) for count in self.counts])
        index = np.arange(sizes.max())
        present = index < sizes[:, None]
        rows = order[np.where(present, self.starts[:, None] + index, 0)]
        return rows.astype(np.int32), present
