"""The patches that a selector keeps at a keep rate."""

import numpy as np
import pyarrow as pa

from iqadistill.errors import InputError
from iqadistill.selection.base import keep_count


def kept_patches(patches: pa.Table, selection: pa.Table | None, keep: float) -> pa.Table:
    """The fraction `keep` of the patches of every image, those of lowest rank.

    Args:
        patches: Table "patches".
        selection: Table "selection" of a selector; None where all patches are kept.
        keep: Fraction of an image's patches, in (0, 1]; `keep_count` turns it into a number of patches.

    Returns:
        Table "patches", rows in the order of `patches`.

    Raises:
        InputError: There is no selection although `keep` is below 1, or a patch is missing in it.
    """
    if selection is None:
        if keep != 1:
            raise InputError(f"keep {keep:g}: no selection table was given; give the table, or keep 1.")
        return patches
    frame = patches.select(["patch_id", "image_id"]).to_pandas()
    ranks = selection.select(["patch_id", "rank"]).to_pandas().set_index("patch_id")["rank"].reindex(frame.patch_id)
    if ranks.isna().any():
        missing = frame.iloc[int(np.argmax(ranks.isna()))]
        raise InputError(
            f"selection: patch {missing.patch_id} of image {missing.image_id!r} is missing; run select_patches again."
        )
    frame = frame.assign(rank=ranks.to_numpy())
    position = frame.groupby("image_id")["rank"].rank(method="first")
    counts = frame.groupby("image_id")["rank"].transform("size")
    limits = {count: keep_count(int(count), keep) for count in counts.unique()}
    return patches.filter(pa.array((position <= counts.map(limits)).to_numpy()))
