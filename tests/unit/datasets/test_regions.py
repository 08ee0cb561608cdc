"""Damaged regions: their masks, and the areas that they cover in the plane and on the sphere."""

import numpy as np
import pytest

from iqadistill.datasets.regions import Region
from iqadistill.errors import InputError


def solid_angle(mask):
    """Share of the sphere that a mask of an equirectangular panorama covers, each row weighted by its cosine."""
    height, width = mask.shape
    weight = np.cos((0.5 - (np.arange(height) + 0.5) / height) * np.pi)
    return (mask.sum(1) * weight).sum() / (weight.sum() * width)


@pytest.mark.parametrize(
    ("region", "share"),
    [
        (Region("half", 0.8, 0, 0.5, 1), 0.5),
        (Region("band", 0, 7 / 18, 1, 4 / 18), np.sin(np.radians(20))),  # 20 degrees on either side of the equator
        (Region("band", 0, 0, 1, 0.25), (1 - np.sin(np.radians(45))) / 2),  # a cap
        (Region("tile", 0.25, 1 / 3, 0.25, 1 / 3), 0.125),  # 90 degrees wide, 30 up and down
        (Region("tile", 5 / 6, 0, 1 / 6, 0.25), (1 - np.sin(np.radians(45))) / 12),
    ],
    ids=str,
)
def test_area_on_the_sphere_is_the_solid_angle_of_the_mask(region, share):
    assert region.area("sphere") == pytest.approx(share, abs=2e-4)  # four decimals
    assert solid_angle(region.mask(720, 1440)) == pytest.approx(region.area("sphere"), rel=0.005)


@pytest.mark.parametrize(
    "region", [Region("half", 0.5, 0, 0.5, 1), Region("band", 0, 0.3, 1, 0.2), Region("tile", 2 / 6, 0.75, 1 / 6, 0.25)]
)
def test_area_in_the_plane_is_the_share_of_pixels(region):
    assert region.mask(400, 600).mean() == pytest.approx(region.area("flat"), abs=1e-3)


def test_mask_holds_the_pixels_whose_centres_are_inside():
    assert Region("tile", 0.25, 0.5, 0.5, 0.5).mask(2, 8).tolist() == [
        [False] * 8,
        [False] * 2 + [True] * 4 + [False] * 2,
    ]


def test_region_of_a_panorama_goes_on_beyond_the_seam():
    assert Region("half", 0.75, 0, 0.5, 1).mask(1, 4).tolist() == [[True, False, False, True]]


def test_tiles_of_a_grid_cover_every_pixel_once():
    for columns, rows in ((4, 3), (6, 4)):
        tiles = [
            Region("tile", column / columns, row / rows, 1 / columns, 1 / rows)
            for column in range(columns)
            for row in range(rows)
        ]
        assert (sum(tile.mask(384, 512).astype(int) for tile in tiles) == 1).all()


def test_text_holds_all_of_a_region():
    region = Region("tile", 1 / 3, 2 / 3, 1 / 6, 1 / 3)
    assert str(region) == "tile 0.3333 0.6667 0.1667 0.3333" and Region.parse(str(region), "here") == region
    with pytest.raises(InputError, match="here: region 'lens 0 0 1 1'"):
        Region.parse("lens 0 0 1 1", "here")
    for text in ("half 0.99999 0 0.5 1", "tile 0 0 0.00001 1"):  # no region after rounding
        with pytest.raises(InputError, match="is not a region"):
            Region.parse(text, "here")
