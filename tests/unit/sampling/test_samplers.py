"""Properties of all samplers."""

import math
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from iqadistill.errors import InputError
from iqadistill.registry import Registry
from iqadistill.sampling import SAMPLERS, sample_crops, sample_erp, sample_latitude, sample_scanpath, sample_sphere
from iqadistill.sampling import samplers as samplers_folder
from iqadistill.sampling.placed import sample_placed_crops, sample_placed_viewports
from iqadistill.sampling.settings import SamplerSettings
from iqadistill.table_schemas import SCHEMAS
from iqadistill.tables import as_table

METHODS = SAMPLERS.names
SPHERE = [name for name in METHODS if SAMPLERS[name].kind == "sphere"]
FLAT = [name for name in METHODS if SAMPLERS[name].kind == "flat"]
PLACED = ["placed_crops", "placed_viewports"]

NEW_SAMPLER = '''
"""One crop in the upper left corner."""

from typing import Literal

from iqadistill.sampling.settings import FlatSamplerSettings


class CornerSettings(FlatSamplerSettings):
    """The corner."""

    method: Literal["corner"] = "corner"

    def sample(self, images, *, seed):
        import numpy as np

        from iqadistill.sampling.patch_table import sample_images

        corner = {"x": np.zeros(1), "y": np.zeros(1)}
        return sample_images(images, lambda image, stream: corner, size=self.size, seed=seed)
'''


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


def sampler(method, **settings):
    return SAMPLERS.create({"method": method, "count": 7, "size": 16, **settings})


@pytest.mark.parametrize("method", METHODS)
def test_patches_are_grouped_by_image_and_numbered(images, method):
    patches = sampler(method).sample(images, seed=1)
    assert patches.schema == SCHEMAS["patches"]
    rows = patches.to_pandas()
    assert rows["patch_id"].tolist() == list(range(len(rows)))
    assert rows["image_id"].drop_duplicates().tolist() == ["a/room", "b", "c"]
    assert (rows["image_id"] != rows["image_id"].shift()).sum() == 3
    assert (rows["order"] == rows.groupby("image_id").cumcount()).all()
    assert rows.groupby("image_id").size().between(1, 7).all()
    assert (rows["size"] == 16).all()
    if method in PLACED:
        np.testing.assert_allclose(rows.groupby("image_id").weight.sum(), 1, rtol=1e-6)
    else:
        assert (rows["weight"] == 1).all()


@pytest.mark.parametrize("method", METHODS)
def test_patches_do_not_depend_on_other_images(images, method):
    together = sampler(method).sample(images, seed=1).to_pandas().query("image_id == 'c'")
    alone = sampler(method).sample(images.slice(2, 1), seed=1).to_pandas()
    pd.testing.assert_frame_equal(
        together.drop(columns="patch_id").reset_index(drop=True), alone.drop(columns="patch_id")
    )


@pytest.mark.parametrize("method", [name for name in METHODS if name not in ("grid_crops", *PLACED)])
def test_patches_depend_on_seed_and_image(images, method):
    first, again, other = (sampler(method).sample(images, seed=seed).to_pandas() for seed in (1, 1, 2))
    pd.testing.assert_frame_equal(first, again)
    columns = ["x", "y", "yaw", "pitch"]
    assert not first[columns].equals(other[columns])
    assert not first.query("image_id == 'b'")[columns].head(1).equals(first.query("image_id == 'c'")[columns].head(1))


@pytest.mark.parametrize("method", SPHERE)
def test_viewports_have_angles_and_no_pixel_positions(images, method):
    rows = sampler(method, count=20, fov=72).sample(images, seed=1).to_pandas()
    assert rows[["x", "y"]].isna().all(axis=None)
    assert (rows["fov"] == math.radians(72)).all()
    assert rows["yaw"].between(-np.pi, np.pi, inclusive="left").all()
    assert rows["pitch"].abs().max() <= np.pi / 2


@pytest.mark.parametrize("method", SPHERE)
def test_native_field_of_view_follows_the_width_of_each_panorama(images, method):
    frame = images.to_pandas()
    frame.loc[frame.image_id == "b", ["width", "height"]] = [256, 128]
    rows = sampler(method, fov="native").sample(as_table(frame, "images"), seed=1).to_pandas()
    for name, width in (("a/room", 128), ("b", 256)):
        pixel = 2 * np.tan(rows.fov[rows.image_id == name] / 2) / 16  # tangent of a viewport pixel's angle
        np.testing.assert_allclose(pixel, 2 * np.pi / width)


@pytest.mark.parametrize("method", SPHERE)
def test_panorama_of_odd_width_is_refused(images, method):
    odd = as_table(images.to_pandas().assign(width=127), "images")
    with pytest.raises(InputError, match=r"a/room: .*127"):
        sampler(method).sample(odd, seed=1)
    with pytest.raises(InputError, match=r"room: .*127"):
        sampler(method).rule.check(127, 64, "room")
    sampler(method, size=200).rule.check(128, 64, "room")


@pytest.mark.parametrize(
    "method, settings",
    [*((name, {}) for name in FLAT), *((name, {"projection": "crop"}) for name in ("erp", "lat", "sp"))],
)
def test_image_smaller_than_its_patches_is_refused(images, method, settings):
    for refuse in (
        lambda: sampler(method, size=65, **settings).sample(images, seed=1),
        lambda: sampler(method, size=65, **settings).rule.check(128, 64, "a/room"),
    ):
        with pytest.raises(InputError, match=r"a/room: 128 x 64 .* 65 x 65"):
            refuse()
    sampler(method, size=64, **settings).rule.check(128, 64, "a/room")


@pytest.mark.parametrize("method", METHODS)
def test_no_images_give_empty_table(images, method):
    empty = sampler(method).sample(images.slice(3), seed=1)
    assert len(empty) == 0
    assert empty.schema == SCHEMAS["patches"]


@pytest.mark.parametrize(
    "method, function, settings, arguments",
    [
        ("erp", sample_erp, {"projection": "crop"}, {"projection": "crop"}),
        ("lat", sample_latitude, {"fov": 90}, {"fov": math.radians(90)}),
        ("lat", sample_latitude, {"exponent": 1}, {"fov": math.radians(60), "exponent": 1.0}),
        ("sp", sample_scanpath, {}, {"fov": math.radians(60)}),
        ("sp", sample_scanpath, {"projection": "crop"}, {"projection": "crop"}),
        (
            "sp",
            sample_scanpath,
            {"fov": "native", "viewers": 2, "fixations": 3},
            {"fov": "native", "viewers": 2, "fixations": 3},
        ),
        ("sphere", sample_sphere, {}, {"fov": math.radians(60)}),
        ("random_crops", sample_crops, {"longer_side": 64}, {"method": "random", "longer_side": 64}),
        ("grid_crops", sample_crops, {}, {"method": "grid"}),
        ("placed_crops", sample_placed_crops, {"longer_side": 64}, {"longer_side": 64}),
        ("placed_viewports", sample_placed_viewports, {"fov": 90, "exponent": 1}, {"fov": np.pi / 2, "exponent": 1.0}),
    ],
)
def test_settings_are_passed_to_the_sampling_function(images, method, function, settings, arguments):
    expected = function(images, count=7, size=16, seed=1, **arguments)
    assert sampler(method, **settings).sample(images, seed=1).equals(expected)


def test_patch_size_varies_only_with_longer_side():
    assert [name for name in METHODS if sampler(name).varies_in_size] == []
    assert all(sampler(name, longer_side=64).varies_in_size for name in FLAT)
    with pytest.raises(InputError, match=r"longer_side"):
        sampler("erp", longer_side=64)


def test_recorded_scanpaths_are_an_input_file():
    assert all(sampler(name).files() == () for name in METHODS)
    assert sampler("sp", scanpaths="seen.csv").files() == ("seen.csv",)


def test_invalid_settings_are_refused():
    for settings, match in [
        ({"method": "spere"}, "'sphere'"),
        ({"method": "erp", "projektion": "crop"}, "projektion.*'projection'"),
        ({"method": "erp", "projection": "crops"}, "projection.*'crops'.*'crop'"),
        ({"method": "erp", "fov": 180}, r"erp\.fov: .*180"),
        ({"method": "erp", "fov": "natif"}, r"erp\.fov: expected degrees or native"),
        ({"method": "grid_crops", "size": 7}, "size.*7"),
        ({"count": 3}, "method"),
    ]:
        with pytest.raises(InputError, match=match):
            SAMPLERS.create(settings)


@pytest.fixture
def registry_with_corner_sampler(tmp_path):
    """Registry of samplers with an additional file in its folder."""
    (tmp_path / "corner.py").write_text(NEW_SAMPLER)
    samplers_folder.__path__.append(str(tmp_path))
    yield Registry(SAMPLERS.package, SamplerSettings, key="method", noun="sampler")
    samplers_folder.__path__.remove(str(tmp_path))
    sys.modules.pop(f"{SAMPLERS.package}.corner", None)


def test_new_sampler_needs_one_file_only(images, registry_with_corner_sampler):
    assert set(registry_with_corner_sampler.names) == {*METHODS, "corner"}
    corner = registry_with_corner_sampler.create({"method": "corner", "size": 16})
    assert corner.kind == "flat" and corner.count == 180
    rows = corner.sample(images, seed=0).to_pandas()
    assert rows[["x", "y", "size"]].values.tolist() == [[0, 0, 16]] * 3


@pytest.mark.slow
def test_settings_do_not_import_numerical_packages():
    code = (
        "import sys; from iqadistill.sampling.registry import SAMPLERS; list(SAMPLERS.values());"
        "print([name for name in ('torch', 'numpy', 'scipy', 'pyarrow', 'pandas', 'PIL') if name in sys.modules])"
    )
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "[]\n"
