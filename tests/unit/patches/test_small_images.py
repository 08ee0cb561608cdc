import numpy as np
import pandas as pd
import pytest
import torch
from PIL import Image
from torch.nn import functional

from iqadistill.patches.store import PatchStore
from iqadistill.sampling.registry import SAMPLERS
from iqadistill.tables import as_table


@pytest.fixture
def images(tmp_path):
    """An image lower than the crops, and one that they fit into."""
    rows = []
    for name, (width, height) in {"low": (40, 24), "large": (60, 50)}.items():
        pixels = np.random.default_rng(width).integers(0, 256, (height, width, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(tmp_path / f"{name}.png")
        rows.append((name, str(tmp_path / f"{name}.png"), width, height, "ok"))
    return as_table(pd.DataFrame(rows, columns=["image_id", "path", "width", "height", "status"]), "images")


def test_crops_of_small_images_are_enlarged_to_the_size_of_the_others(images):
    sampler = SAMPLERS.create({"method": "random_crops", "count": 3, "size": 32, "small_images": "enlarge"})
    patches = sampler.sample(images, seed=0)
    assert dict(zip(patches["image_id"].to_pylist(), patches["size"].to_pylist(), strict=True)) == {
        "low": 24,
        "large": 32,
    }
    store = PatchStore(images, patches, ["low", "large"], size=32)
    pixels = store.fetch(np.arange(6))
    assert pixels.shape == (6, 3, 32, 32)
    low = torch.from_numpy(np.array(Image.open(images["path"][0].as_py()))).permute(2, 0, 1)
    left = int(store.patches["x"][0].as_py())
    crop = low[None, :, :, left : left + 24].float() / 255
    enlarged = functional.interpolate(crop, (32, 32), mode="bilinear", antialias=True)
    torch.testing.assert_close(pixels[0], (255 * enlarged[0]).round().to(torch.uint8), atol=1, rtol=0)
