"""Placement of patches, and the samplers that place."""

import numpy as np
import pandas as pd
import pytest

from iqadistill.panorama.sphere import angles_to_vectors
from iqadistill.sampling import SAMPLERS
from iqadistill.sampling.placement import best_placed, choose_places, patch_places, shares
from iqadistill.tables import as_table

LINE = np.array([[0.0], [1.0], [2.0], [3.0], [10.0]])


def images(width=300, height=200):
    rows = {"image_id": ["a", "b"], "path": "", "width": width, "height": height, "status": "ok"}
    return as_table(pd.DataFrame(rows), "images")


def place(method, count, **settings):
    sampler = SAMPLERS.create({"method": method, "count": count, "size": 50, **settings})
    return sampler.sample(images(*((300, 200) if sampler.kind == "flat" else (300, 150))), seed=0)


def test_first_place_is_the_medoid_and_the_next_lowers_the_distance_most():
    cost = ((LINE - LINE.T) ** 2).sum(0)
    order = choose_places(LINE, 5)
    assert order[0] == np.argmin(cost)
    costs = [np.minimum((LINE - LINE[3]) ** 2, (LINE - place) ** 2).sum() for place in LINE]
    assert order[:2].tolist() == [3, np.argmin(costs)] and sorted(order) == [0, 1, 2, 3, 4]


def test_fewer_places_are_the_first_of_more():
    places = np.random.default_rng(0).random((30, 2))
    order = choose_places(places, 30)
    for count in (1, 2, 7):
        np.testing.assert_array_equal(choose_places(places, count), order[:count])


def test_copies_and_symmetric_places_go_by_index():
    corners = np.array([[0.0, 0], [0, 1], [1, 0], [1, 1]])
    for shift in (0, 0.1, 1 / 3):
        np.testing.assert_array_equal(choose_places(corners + shift, 4), [0, 1, 2, 3])
        np.testing.assert_array_equal(choose_places(np.full((3, 2), shift), 3), [0, 1, 2])


def test_shares_are_of_the_nearest_place_and_sum_to_one():
    np.testing.assert_allclose(shares(LINE[[1, 4]], LINE), [0.8, 0.2])
    np.testing.assert_allclose(shares(LINE[[1, 4]], LINE, np.array([1.0, 1, 1, 1, 4])), [0.5, 0.5])
    np.testing.assert_allclose(shares(LINE[[1, 3]], LINE), [0.5, 0.5])  # the one in between counts for both by halves
    np.testing.assert_allclose(shares(np.repeat(LINE, 2, axis=0), LINE), 0.1)


def test_places_are_centres_in_units_of_the_longer_side():
    rows = {"patch_id": [0, 1], "image_id": ["a", "b"], "x": [0, 125], "y": [0, 75], "size": 50}
    flat = as_table(pd.DataFrame(rows), "patches")
    np.testing.assert_allclose(patch_places(flat, images()), [[25 / 300, 25 / 300], [0.5, 1 / 3]])
    sphere = as_table(pd.DataFrame(rows).assign(yaw=[0.0, 1], pitch=[0.5, 0.2]), "patches")
    np.testing.assert_allclose(
        patch_places(sphere, images()), angles_to_vectors(np.array([0, 1]), np.array([0.5, 0.2]))
    )


@pytest.mark.parametrize("method", ["random_crops", "lat", "placed_crops"])
def test_best_placed_patches_have_the_weight_of_those_they_stand_for(method):
    patches = place(method, 12)
    one = patches.filter(np.array(patches["image_id"].to_pylist()) == "b")
    for count in (1, 4, len(one)):
        chosen = best_placed(one, images(), count)
        assert len(chosen) == count and chosen.schema == one.schema
        assert sum(chosen["weight"].to_pylist()) == pytest.approx(1)
    everything = best_placed(one, images(), 99)
    assert everything.drop_columns("weight").equals(one.drop_columns("weight"))
    given = np.array(one["weight"].to_pylist())
    np.testing.assert_allclose(everything["weight"], given / given.sum(), rtol=1e-6)


def test_one_placed_crop_lies_in_the_middle():
    crop = place("placed_crops", 1).to_pandas()
    assert crop[["x", "y", "weight"]].drop_duplicates().to_numpy().tolist() == [[125, 75, 1]]
    view = place("placed_viewports", 1).to_pandas()
    assert view[["yaw", "pitch", "weight"]].drop_duplicates().to_numpy().tolist() == [[0, 0, 1]]


@pytest.mark.parametrize("method", ["placed_crops", "placed_viewports"])
def test_placed_patches_are_spread_and_do_not_depend_on_the_seed(method):
    few, many = (place(method, count) for count in (4, 20))
    places = patch_places(many, images())[:20]
    nearest = ((places[:, None] - places) ** 2).sum(-1) + np.eye(20)
    assert nearest.min() > 0.01
    columns = ["x", "y", "yaw", "pitch"]
    frames = [table.to_pandas().query("image_id == 'a'")[columns] for table in (few, many)]
    pd.testing.assert_frame_equal(frames[0], frames[1].head(4))
    again = SAMPLERS.create({"method": method, "count": 4, "size": 50}).sample(
        images(*((300, 200) if method == "placed_crops" else (300, 150))), seed=7
    )
    assert again.equals(few)


def test_small_image_has_as_many_placed_crops_as_places():
    sampler = SAMPLERS.create({"method": "placed_crops", "count": 20, "size": 50})
    rows = sampler.sample(images(52, 51), seed=0).to_pandas()
    assert rows.groupby("image_id").size().tolist() == [6, 6]
    assert not rows.duplicated(["image_id", "x", "y"]).any()


def test_exponent_favours_the_equator():
    flat, equal = (place("placed_viewports", 12, exponent=exponent).to_pandas() for exponent in (4, 1))
    assert (flat.weight * flat.pitch.abs()).sum() < (equal.weight * equal.pitch.abs()).sum()
