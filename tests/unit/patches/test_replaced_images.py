"""An image that was replaced by one of another size after its dataset was indexed is named, not cut elsewhere."""

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from iqadistill.errors import InputError
from iqadistill.patches.held_images import HeldImages
from iqadistill.patches.reading import read_patches
from iqadistill.tables import as_table


def tables(path, **columns):
    images = {"image_id": ["a"], "path": [str(path)], "width": [64], "height": [48]}
    patches = {"patch_id": [0], "image_id": ["a"], "size": [32], **columns}
    return as_table(pd.DataFrame(images), "images"), as_table(pd.DataFrame(patches), "patches")


@pytest.fixture
def path(tmp_path):
    """An image of the size that the index has."""
    file = tmp_path / "a.png"
    Image.new("RGB", (64, 48)).save(file)
    return file


@pytest.mark.parametrize("size", [(48, 64), (66, 48), (640, 480)])
@pytest.mark.parametrize("kind", ["crop", "reduced", "viewport", "crop of panorama"])
def test_patches_of_a_replaced_image_are_refused(path, kind, size):
    view = {"yaw": [0.0], "pitch": [0.0], "fov": [1.0]}
    columns = {"viewport": view, "crop of panorama": view | {"x": [0], "y": [0]}}.get(kind, {"x": [0], "y": [0]})
    images, patches = tables(path, **columns)
    reduced = 16 if kind == "reduced" else None
    (read,) = read_patches(images, patches, size=reduced)
    assert read.shape == (1, 3, reduced or 32, reduced or 32)
    Image.new("RGB", size).save(path)
    with pytest.raises(InputError, match=r"a\.png: was 64 x 48 pixels when its dataset was indexed .*; run again"):
        list(read_patches(images, patches, size=reduced))


def test_held_image_that_was_replaced_is_refused(path):
    images, patches = tables(path, x=[0], y=[0])
    arguments = {"side": 32, "size": None, "workers": 1, "memory": 0}
    held = HeldImages(images, patches, np.array([0]), ["a"], **arguments)
    assert held.fetch(np.array([0]), held.corners).shape == (1, 3, 32, 32)
    Image.new("RGB", (64, 47)).save(path)
    with pytest.raises(InputError, match="has been replaced since"):
        held.fetch(np.array([0]), held.corners)
