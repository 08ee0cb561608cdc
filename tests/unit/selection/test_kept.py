import numpy as np
import pandas as pd
import pyarrow.compute as pc
import pytest

from iqadistill.errors import InputError
from iqadistill.selection.base import keep_count
from iqadistill.selection.kept import kept_patches
from iqadistill.tables import as_table

COUNTS = {"a": 12, "bb": 5, "ccc": 1}


@pytest.fixture
def tables():
    """Tables "patches" and "selection" with rows in different order."""
    image_id = np.repeat(list(COUNTS), list(COUNTS.values()))
    rng = np.random.default_rng(0)
    rank = np.concatenate([rng.permutation(n) for n in COUNTS.values()])
    frame = pd.DataFrame({"patch_id": np.arange(len(rank)), "image_id": image_id, "rank": rank})
    patches, selection = (frame.iloc[rng.permutation(len(frame))] for _ in range(2))
    return as_table(patches[["patch_id", "image_id"]], "patches"), as_table(selection, "selection")


@pytest.mark.parametrize("keep", [0.1, 0.3, 0.5, 0.75, 1.0])
def test_patches_of_lowest_rank_are_kept_in_table_order(tables, keep):
    patches, selection = tables
    kept = kept_patches(patches, selection, keep)
    ranks = dict(zip(selection["patch_id"].to_pylist(), selection["rank"].to_pylist(), strict=True))
    for image, n in COUNTS.items():
        rows = kept.filter(pc.equal(kept["image_id"], image))["patch_id"].to_pylist()
        assert sorted(ranks[patch] for patch in rows) == list(range(keep_count(n, keep)))
    order = [patch for patch in patches["patch_id"].to_pylist() if patch in set(kept["patch_id"].to_pylist())]
    assert kept["patch_id"].to_pylist() == order


def test_keeping_all_patches_needs_no_selection(tables):
    patches, _ = tables
    assert kept_patches(patches, None, 1.0).equals(patches)


def test_missing_selection_or_patch_is_refused(tables):
    patches, selection = tables
    with pytest.raises(InputError, match=r"keep.* 0\.5"):
        kept_patches(patches, None, 0.5)
    without_first = selection.filter(pc.not_equal(selection["patch_id"], 0))
    with pytest.raises(InputError, match=r"patch 0 .*'a'"):
        kept_patches(patches, without_first, 0.5)
