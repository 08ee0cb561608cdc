"""Properties all samplers share."""

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from iqadistill.errors import InputError
from iqadistill.registry import Registry
from iqadistill.sampling.registry import SAMPLERS
from iqadistill.sampling.settings import SamplerSettings
from iqadistill.tables import SCHEMAS, as_table

METHODS = list(SAMPLERS.names)
ON_SPHERE = [name for name in METHODS if SAMPLERS[name].kind == "sphere"]


@pytest.fixture(scope="module")
def images(tmp_path_factory):
    folder = tmp_path_factory.mktemp("panoramas")
    names = ["a/room", "b", "c", "broken"]
    for index, name in enumerate(names[:3]):
        pixels = np.random.default_rng(index).integers(0, 256, (64, 128, 3), dtype=np.uint8)
        (folder / name).parent.mkdir(exist_ok=True)
        Image.fromarray(pixels).save(folder / f"{name}.png")
    rows = {
        "image_id": names,
        "path": [str(folder / f"{name}.png") for name in names],
        "width": 128,
        "height": 64,
        "status": ["ok", "ok", "ok", "quarantined"],
    }
    return as_table(pd.DataFrame(rows), "images")


def sample(images, method, seed=1, **settings):
    """Patches of images by a sampler of this method."""
    return SAMPLERS.create({"method": method, "count": 7, "size": 16, **settings}).sample(images, seed=seed)


def frame(table):
    return table.to_pandas()


@pytest.mark.parametrize("method", METHODS)
def test_patches_are_grouped_by_image_and_numbered(images, method):
    patches = sample(images, method)
    assert patches.schema == SCHEMAS["patches"]
    rows = frame(patches)
    assert rows["patch_id"].tolist() == list(range(len(rows)))
    assert rows["image_id"].drop_duplicates().tolist() == ["a/room", "b", "c"]
    assert (rows["image_id"] != rows["image_id"].shift()).sum() == 3
    assert (rows["order"] == rows.groupby("image_id").cumcount()).all()
    assert rows.groupby("image_id").size().between(1, 7).all()
    assert (rows["size"] == 16).all() and (rows["weight"] == 1).all()


@pytest.mark.parametrize("method", METHODS)
def test_an_image_keeps_its_patches_whatever_the_others_are(images, method):
    together = frame(sample(images, method)).query("image_id == 'c'")
    alone = frame(sample(images.slice(2, 1), method))
    pd.testing.assert_frame_equal(
        together.drop(columns="patch_id").reset_index(drop=True), alone.drop(columns="patch_id")
    )


@pytest.mark.parametrize("method", [name for name in METHODS if name != "grid_crops"])
def test_seeds_and_images_have_streams_of_their_own(images, method):
    first = frame(sample(images, method))
    again = frame(sample(images, method))
    other = frame(sample(images, method, seed=2))
    pd.testing.assert_frame_equal(first, again)
    places = ["x", "y", "yaw", "pitch"]
    assert not first[places].equals(other[places])
    assert not first.query("image_id == 'b'")[places].head(1).equals(first.query("image_id == 'c'")[places].head(1))


@pytest.mark.parametrize("method", ON_SPHERE)
def test_viewports_have_angles_and_no_pixels(images, method):
    rows = frame(sample(images, method, count=20, fov=60))
    assert rows[["x", "y"]].isna().all(axis=None)
    assert (rows["fov"] == np.pi / 3).all()
    assert rows["yaw"].between(-np.pi, np.pi, inclusive="left").all()
    assert rows["pitch"].abs().max() <= np.pi / 2


@pytest.mark.parametrize("method", ON_SPHERE)
def test_an_odd_panorama_is_refused_by_name(images, method):
    odd = as_table(images.to_pandas().assign(width=127), "images")
    with pytest.raises(InputError, match=r"a/room.*127"):
        sample(odd, method)


@pytest.mark.parametrize("method", METHODS)
def test_no_images_give_an_empty_table(images, method):
    empty = sample(images.slice(3), method)
    assert len(empty) == 0
    assert empty.schema == SCHEMAS["patches"]


def test_unknown_method_names_the_nearest():
    with pytest.raises(InputError, match="did you mean 'sphere'"):
        SAMPLERS.create({"method": "spere"})


def test_unknown_setting_names_the_nearest():
    with pytest.raises(InputError, match="did you mean 'count'"):
        SAMPLERS.create({"method": "lat", "coun": 1})


def test_settings_of_other_methods_are_unknown():
    with pytest.raises(InputError, match=r"erp\.longer_side: unknown key"):
        SAMPLERS.create({"method": "erp", "longer_side": 512}, "erp")


def test_a_sampler_is_one_file(tmp_path, monkeypatch, images):
    """A file that is put into the folder of samplers is a sampler, found by its name."""
    folder = tmp_path / "toy_samplers"
    folder.mkdir()
    (folder / "__init__.py").touch()
    (folder / "centre_crop.py").write_text(
        """
from typing import Literal

import numpy as np

from iqadistill.sampling.patch_table import sample_images
from iqadistill.sampling.settings import FlatSamplerSettings


class CentreCropSettings(FlatSamplerSettings):
    method: Literal["centre_crop"] = "centre_crop"

    def sample(self, images, *, seed):
        def draw(image, stream):
            return {"x": np.array([(image["width"] - self.size) // 2]), "y": np.array([(image["height"] - self.size) // 2])}

        return sample_images(images, draw, size=self.size, seed=seed)
"""
    )
    monkeypatch.syspath_prepend(tmp_path)
    registry = Registry("toy_samplers", SamplerSettings, key="method", noun="sampler")
    assert registry.names == ("centre_crop",)
    rows = frame(registry.create({"method": "centre_crop", "size": 16}).sample(images, seed=0))
    assert rows[["x", "y"]].drop_duplicates().to_numpy().tolist() == [[56, 24]]
