"""Properties all samplers share."""

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from iqadistill.errors import InputError
from iqadistill.sampling import SAMPLER_KINDS, create_sampler
from iqadistill.tables import SCHEMAS, as_table

METHODS = list(SAMPLER_KINDS)


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


def frame(table):
    return table.to_pandas()


@pytest.mark.parametrize("method", METHODS)
def test_patches_are_grouped_by_image_and_numbered(images, method):
    patches = create_sampler(method, count=7, size=16, seed=1)(images)
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
    sampler = create_sampler(method, count=7, size=16, seed=1)
    together = frame(sampler(images)).query("image_id == 'c'")
    alone = frame(sampler(images.slice(2, 1)))
    pd.testing.assert_frame_equal(
        together.drop(columns="patch_id").reset_index(drop=True), alone.drop(columns="patch_id")
    )


@pytest.mark.parametrize("method", [name for name in METHODS if name != "grid_crops"])
def test_seeds_and_images_have_streams_of_their_own(images, method):
    first = frame(create_sampler(method, count=7, size=16, seed=1)(images))
    again = frame(create_sampler(method, count=7, size=16, seed=1)(images))
    other = frame(create_sampler(method, count=7, size=16, seed=2)(images))
    pd.testing.assert_frame_equal(first, again)
    places = ["x", "y", "yaw", "pitch"]
    assert not first[places].equals(other[places])
    assert not first.query("image_id == 'b'")[places].head(1).equals(first.query("image_id == 'c'")[places].head(1))


@pytest.mark.parametrize("method", [name for name, kind in SAMPLER_KINDS.items() if kind == "sphere"])
def test_viewports_have_angles_and_no_pixels(images, method):
    rows = frame(create_sampler(method, count=20, size=16, seed=1, fov=1.2)(images))
    assert rows[["x", "y"]].isna().all(axis=None)
    assert (rows["fov"] == 1.2).all()
    assert rows["yaw"].between(-np.pi, np.pi, inclusive="left").all()
    assert rows["pitch"].abs().max() <= np.pi / 2


@pytest.mark.parametrize("method", [name for name, kind in SAMPLER_KINDS.items() if kind == "sphere"])
def test_an_odd_panorama_is_refused_by_name(images, method):
    odd = as_table(images.to_pandas().assign(width=127), "images")
    with pytest.raises(InputError, match="a/room: a panorama 127 pixels wide"):
        create_sampler(method, count=7, size=16, seed=1)(odd)


@pytest.mark.parametrize("method", METHODS)
def test_no_images_give_an_empty_table(images, method):
    empty = create_sampler(method, count=7, size=16, seed=1)(images.slice(3))
    assert len(empty) == 0
    assert empty.schema == SCHEMAS["patches"]


def test_unknown_method_names_the_nearest():
    with pytest.raises(InputError, match="did you mean 'sphere'"):
        create_sampler("spere", count=1, size=1, seed=0)


def test_unknown_setting_names_the_nearest():
    with pytest.raises(InputError, match="did you mean 'exponent'"):
        create_sampler("lat", count=1, size=1, seed=0, exponnt=1)


def test_a_setting_the_name_fixes_is_unknown():
    with pytest.raises(InputError, match="unknown setting 'method'"):
        create_sampler("grid_crops", count=1, size=1, seed=0, method="random")


def test_missing_setting_is_named():
    with pytest.raises(InputError, match="'count' is missing"):
        create_sampler("erp", size=1, seed=0)
