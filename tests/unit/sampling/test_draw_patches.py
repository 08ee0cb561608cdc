import numpy as np
import pandas as pd
import pytest

from iqadistill.sampling.patch_table import draw_patches
from iqadistill.tables import as_table, embeddings_table


@pytest.fixture
def patches():
    names = ["a/one"] * 9 + ["two"] * 3 + ["three"] * 20
    return as_table(pd.DataFrame({"patch_id": np.arange(32) * 3, "image_id": names, "x": 0, "y": 0}), "patches")


def test_every_image_has_at_most_the_given_number(patches):
    drawn = draw_patches(patches, 5, seed=0).to_pandas()
    assert drawn.groupby("image_id").size().to_dict() == {"a/one": 5, "two": 3, "three": 5}
    assert drawn.patch_id.is_monotonic_increasing and not drawn.duplicated().any()
    assert draw_patches(patches, 20, seed=0).equals(patches)


def test_draw_depends_on_seed_and_image_only(patches):
    drawn = draw_patches(patches, 5, seed=0)
    alone = patches.take(np.random.default_rng(0).permutation(9))
    first = drawn.to_pandas().patch_id[:5]
    assert sorted(draw_patches(alone, 5, seed=0)["patch_id"].to_pylist()) == first.tolist()
    assert draw_patches(patches, 5, seed=1)["patch_id"].to_pylist() != drawn["patch_id"].to_pylist()


def test_embeddings_and_patches_of_an_image_are_drawn_alike(patches):
    names = patches["image_id"].to_pylist()
    embeddings = embeddings_table(patches["patch_id"].to_numpy(), names, np.zeros((32, 2), np.float32))
    expected = draw_patches(patches, 4, seed=7)["patch_id"].to_pylist()
    assert draw_patches(embeddings, 4, seed=7)["patch_id"].to_pylist() == expected
