import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from iqadistill.errors import InputError
from iqadistill.sampling import sample_crops
from iqadistill.sampling.registry import SAMPLERS
from iqadistill.tables import as_table


def crops(width, height, **options):
    row = {"image_id": ["photo"], "width": width, "height": height, "status": "ok"}
    return sample_crops(as_table(pd.DataFrame(row), "images"), seed=3, **options).to_pandas()


@settings(max_examples=40, deadline=None)
@given(
    extra=st.tuples(st.integers(0, 90), st.integers(0, 90)),
    count=st.integers(1, 60),
    method=st.sampled_from(["random", "grid"]),
)
def test_crops_are_inside_and_distinct(extra, count, method):
    width, height = 32 + extra[0], 32 + extra[1]
    rows = crops(width, height, count=count, size=32, method=method)
    assert 1 <= len(rows) <= count
    assert rows["x"].between(0, width - 32).all() and rows["y"].between(0, height - 32).all()
    assert not rows.duplicated(["x", "y"]).any()
    assert rows[["yaw", "pitch", "fov"]].isna().all(axis=None)


def test_random_crops_have_the_requested_count_if_possible():
    assert len(crops(200, 100, count=40, size=32)) == 40
    assert len(crops(33, 33, count=40, size=32)) == 4


def test_grid_covers_the_image_up_to_its_borders():
    rows = crops(200, 116, count=8, size=32, method="grid")
    assert sorted(set(rows["x"])) == [0, 56, 112, 168]
    assert sorted(set(rows["y"])) == [0, 84]


def test_grid_of_one_crop_is_centred():
    assert crops(132, 72, count=1, size=32, method="grid")[["x", "y"]].values.tolist() == [[50, 20]]


def test_image_smaller_than_the_crop_is_refused():
    with pytest.raises(InputError, match=r"photo: 100 x 31 .* 32 x 32"):
        crops(100, 31, count=4, size=32)


def test_small_image_is_cropped_as_wide_as_its_shorter_side():
    rows = crops(100, 31, count=4, size=32, small_images="enlarge")
    assert set(rows["size"]) == {31} and len(rows) == 4
    assert set(crops(100, 32, count=4, size=32, small_images="enlarge")["size"]) == {32}
    assert set(crops(1024, 100, count=4, size=64, longer_side=512, small_images="enlarge")["size"]) == {100}
    settings = SAMPLERS.create({"method": "random_crops", "size": 32, "small_images": "enlarge"})
    settings.rule.check(100, 31, "photo")
    assert settings.varies_in_size


def test_unknown_method_is_refused():
    with pytest.raises(InputError, match=r"method.*'hexagons'"):
        crops(100, 100, count=4, size=32, method="hexagons")


@pytest.mark.parametrize("width, height, side", [(1024, 640, 128), (512, 320, 64), (256, 160, 32)])
def test_crop_covers_the_same_share_at_any_resolution(width, height, side):
    rows = crops(width, height, count=30, size=64, longer_side=512)
    assert set(rows["size"]) == {side}
    assert rows["x"].between(0, width - side).all() and rows["y"].between(0, height - side).all()


def test_image_too_narrow_for_a_relative_crop_is_refused():
    with pytest.raises(InputError, match=r"photo: 1024 x 100 .* 128 x 128"):
        crops(1024, 100, count=4, size=64, longer_side=512)
