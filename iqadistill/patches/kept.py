"""The part of a patch table that a selector keeps."""

import numpy as np
import pyarrow as pa

from iqadistill.errors import InputError
from iqadistill.selection.base import keep_count


def kept_patches(patches: pa.Table, selection: pa.Table | None, keep: float) -> pa.Table:
    """Of every image the share `keep` of its patches, those of lowest rank.

    Args:
        patches: Table "patches".
        selection: Table "selection" of a selector; None where all patches are kept.
        keep: Fraction of an image's patches, in (0, 1]; how many that are is `iqadistill.selection.keep_count`.

    Returns:
        Table "patches", rows in the order of `patches`.

    Raises:
        InputError: There is no selection although `keep` is below 1, or it lacks a patch.
    """
    if selection is None:
        if keep != 1:
            raise InputError(f"keep {keep:g}: no selection says which patches to keep; give its table, or keep 1.")
        return patches
    frame = patches.select(["patch_id", "image_id"]).to_pandas()
    ranks = selection.select(["patch_id", "rank"]).to_pandas().set_index("patch_id")["rank"].reindex(frame.patch_id)
    if ranks.isna().any():
        lost = frame.iloc[int(np.argmax(ranks.isna()))]
        raise InputError(f"selection: patch {lost.patch_id} of image {lost.image_id!r} is missing; select again.")
    frame = frame.assign(rank=ranks.to_numpy())
    place = frame.groupby("image_id")["rank"].rank(method="first")
    counts = frame.groupby("image_id")["rank"].transform("size")
    limits = {count: keep_count(int(count), keep) for count in counts.unique()}
    return patches.filter(pa.array((place <= counts.map(limits)).to_numpy()))
