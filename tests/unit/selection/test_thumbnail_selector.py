"""Patches ranked by places and thumbnails."""

import math

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from iqadistill.patches.thumbnails import read_thumbnails
from iqadistill.selection import SELECTORS, rank_patches
from iqadistill.tables import as_table, embeddings_table

CROPS = {"x": [0, 200, 0, 200, 100, 60], "y": [0, 0, 100, 100, 50, 20]}


@pytest.fixture
def tables(tmp_path):
    """Crops of an image whose right half is white with a red corner, and its table "images"."""
    pixels = np.zeros((200, 300, 3), np.uint8)
    pixels[:, 150:] = 255
    pixels[100:, 200:] = (255, 0, 0)
    Image.fromarray(pixels).save(tmp_path / "a.png")
    facts = {"image_id": ["a"], "path": str(tmp_path / "a.png"), "width": 300, "height": 200, "status": "ok"}
    patches = pd.DataFrame({"patch_id": range(6), "image_id": "a", "size": 100, **CROPS})
    return as_table(pd.DataFrame(facts), "images"), as_table(patches, "patches")


def test_thumbnails_are_reduced_patches(tables):
    looks = read_thumbnails(*tables).reshape(6, 3, 8, 8)
    assert np.abs(looks[0]).max() < 0.1 and looks[1].min() > 0.9
    assert looks[3, 0].min() > 0.9 and looks[3, 1:].mean() < 0.1
    assert looks[4, :, :, :3].max() < 0.1 and looks[4, :, 0, 5:].min() > 0.9


def test_thumbnails_of_viewports_are_small_viewports(tables):
    images, _ = tables
    views = {"patch_id": range(2), "image_id": "a", "yaw": [-math.pi / 2, math.pi / 2], "pitch": [0.3, 0.3]}
    patches = as_table(pd.DataFrame({**views, "fov": 0.5, "size": 64}), "patches")
    looks = read_thumbnails(images, patches)
    assert looks.shape == (2, 192) and looks[0].max() < 0.1 and looks[1].min() > 0.9


def test_patches_that_look_different_come_before_copies_nearby(tables):
    images, _ = tables
    places = {"x": [0, 20, 40, 60, 200, 200], "y": [0, 40, 0, 80, 0, 90]}  # four black ones, a white and a red one
    patches = as_table(pd.DataFrame({"patch_id": range(6), "image_id": "a", "size": 50, **places}), "patches")
    order = [4, 0, 5, 1, 3, 2]
    embeddings = embeddings_table(np.array(order), ["a"] * 6, np.zeros((6, 2), np.float32))
    selection, _ = rank_patches(
        embeddings, SELECTORS.create({"method": "thumbnail"}).create(), seed=0, patches=patches, images=images
    )
    rank = dict(zip(selection["patch_id"].to_pylist(), selection["rank"].to_pylist(), strict=True))
    assert {patch for patch in rank if rank[patch] < 3} >= {4, 5}


def test_places_decide_where_all_patches_look_alike(tables, tmp_path):
    images, patches = tables
    Image.new("RGB", (300, 200), (9, 9, 9)).save(tmp_path / "a.png")
    embeddings = embeddings_table(np.arange(6), ["a"] * 6, np.zeros((6, 2), np.float32))
    by_method = [
        rank_patches(embeddings, SELECTORS.create({"method": name}).create(), seed=0, patches=patches, images=images)[0]
        for name in ("thumbnail", "position")
    ]
    assert by_method[0].equals(by_method[1])
