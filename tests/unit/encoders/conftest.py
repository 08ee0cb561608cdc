"""Small images for the tests of encoders."""

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from iqadistill.tables import as_table


@pytest.fixture(scope="package")
def images(tmp_path_factory):
    """Table "images" of three panoramas, 256 x 128, the second one with noise."""
    folder = tmp_path_factory.mktemp("images")
    stream = np.random.default_rng(0)
    names = ["rooms/one", "rooms/two", "three"]
    for index, name in enumerate(names):
        wave = np.sin(np.arange(256) / 128 * np.pi * (index + 2))[None, :, None] * [90, 60, 30]
        pixels = 128 + wave + np.zeros((128, 1, 1)) + (index == 1) * stream.normal(0, 40, (128, 256, 3))
        path = folder / f"{name}.png"
        path.parent.mkdir(exist_ok=True)
        Image.fromarray(pixels.clip(0, 255).astype(np.uint8)).save(path)
    paths = [str(folder / f"{name}.png") for name in names]
    rows = {"image_id": names, "path": paths, "width": 256, "height": 128, "status": "ok"}
    return as_table(pd.DataFrame(rows), "images")
