"""The pristine patches a NAR-teacher compares with."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from iqadistill.errors import InputError
from iqadistill.models.rkiqt.reference_pool import ReferencePool
from iqadistill.patches.store import PatchStore
from iqadistill.tables import read_table


def read_reference_pool(
    files: Sequence[str | Path], number: int, size: int, *, split: int = 0, seed: int = 0
) -> ReferencePool:
    """Draw patches of a dataset's references, from as many of them as there are.

    Args:
        files: With the tables "images" and "patches" of a dataset with references, whose other pictures are left out; where the
            table "splits" is a third, only references of a split's training images are taken.
        number: Patches to draw; fewer where there are not so many.
        size: Side in pixels that they are resized to.
        split: Number of the split.
        seed: Of the draw.

    Raises:
        InputError: There is no reference, or a picture cannot be read.
    """
    pictures, placed = (read_table(file, name) for file, name in zip(files, ("images", "patches"), strict=False))
    pristine = pictures.filter(pictures["is_reference"])
    for splits in files[2:]:
        trained = _training_images(read_table(splits, "splits"), split)
        contents = pictures.filter(pc.is_in(pictures["image_id"], trained))["reference_id"]
        pristine = pristine.filter(pc.is_in(pristine["reference_id"], contents.combine_chunks()))
    placed = placed.filter(pc.is_in(placed["image_id"], pristine["image_id"].combine_chunks()))
    if not len(placed):
        raise InputError(
            f"{files[1]}: holds no patch of a pristine picture; name a dataset with references as pristine."
        )
    frame = placed.select(["image_id"]).to_pandas()
    shuffled = frame.iloc[np.random.default_rng(seed).permutation(len(frame))]
    turn = shuffled.groupby("image_id").cumcount()  # of every picture one patch, then of every picture another
    drawn = np.sort(turn.sort_values(kind="stable").index.to_numpy()[:number])
    chosen = placed.take(drawn)
    store = PatchStore(pictures, chosen, sorted(set(chosen["image_id"].to_pylist())), size=size, memory_gb=0)
    return ReferencePool(store.fetch(np.arange(len(chosen))))


def _training_images(splits: pa.Table, split: int) -> pa.Array:
    own = pc.and_(pc.equal(splits["split"], split), pc.equal(splits["role"], "train"))
    return splits.filter(own)["image_id"].combine_chunks()
