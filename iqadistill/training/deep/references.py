"""The pristine patches that teachers with references compare with."""

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
    files: Sequence[str | Path], count: int, size: int, *, split: int = 0, seed: int = 0
) -> ReferencePool:
    """Draw patches of a dataset's references, from as many references as possible.

    Args:
        files: Tables "images" and "patches" of a dataset with references, whose other images are ignored; with the
            table "splits" as a third file, only references of a split's training images are used.
        count: Patches to draw; all patches if there are fewer.
        size: Side in pixels to which they are resized.
        split: Number of the split.
        seed: Seed of the draw.

    Raises:
        InputError: There is no patch of a reference, or an image cannot be read.
    """
    images, patches = (read_table(file, name) for file, name in zip(files, ("images", "patches"), strict=False))
    pristine = images.filter(images["is_reference"])
    for splits in files[2:]:
        trained = _training_images(read_table(splits, "splits"), split)
        contents = images.filter(pc.is_in(images["image_id"], trained))["reference_id"]
        pristine = pristine.filter(pc.is_in(pristine["reference_id"], contents.combine_chunks()))
    patches = patches.filter(pc.is_in(patches["image_id"], pristine["image_id"].combine_chunks()))
    if not len(patches):
        raise InputError(f"{files[1]}: holds no patch of a pristine image; name a dataset with references as pristine.")
    frame = patches.select(["image_id"]).to_pandas()
    shuffled = frame.iloc[np.random.default_rng(seed).permutation(len(frame))]
    turn = shuffled.groupby(
        "image_id"
    ).cumcount()  # a first patch of every image, then a second one of every image, ...
    drawn = np.sort(turn.sort_values(kind="stable").index.to_numpy()[:count])
    pool = patches.take(drawn)
    store = PatchStore(images, pool, sorted(set(pool["image_id"].to_pylist())), size=size, memory_gb=0)
    return ReferencePool(store.fetch(np.arange(len(pool))))


def _training_images(splits: pa.Table, split: int) -> pa.Array:
    trained = pc.and_(pc.equal(splits["split"], split), pc.equal(splits["role"], "train"))
    return splits.filter(trained)["image_id"].combine_chunks()
