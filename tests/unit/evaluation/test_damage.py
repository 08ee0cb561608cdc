"""AUC of damaged patches: shares of patches in a region, the area itself, and what is averaged over."""

import numpy as np
import pandas as pd
import pytest
import torch

from iqadistill.datasets.regions import Region
from iqadistill.errors import InputError
from iqadistill.evaluation.damage import auc, damaged_shares, measure_damage
from iqadistill.panorama import extract_viewports
from iqadistill.table_schemas import SCHEMAS
from iqadistill.tables import as_table

CONTENTS, EACH, PATCHES = 6, 3, 8


def crops(x, y, size):
    return as_table(pd.DataFrame({"x": x, "y": y, "size": size}), "patches").to_pandas()


def test_share_of_a_crop_is_the_overlap_of_two_rectangles():
    patches = crops([0, 10, 35, 60], [0, 20, 20, 0], 20)
    region = Region("tile", 0.4, 0.25, 0.3, 0.5)  # columns 40 to 70, rows 20 to 60 of 100 x 80 pixels
    expected = [0, 0, 15 * 20 / 400, 0]
    np.testing.assert_allclose(damaged_shares(patches, region, 100, 80), expected)
    band = Region("band", 0, 0.125, 1, 0.25)  # rows 10 to 30
    np.testing.assert_allclose(damaged_shares(patches, band, 100, 80), [0.5, 0.5, 0.5, 0.5])


def test_share_of_a_crop_counts_the_pixels_of_the_mask_also_beyond_the_seam():
    rng = np.random.default_rng(0)
    x, y = rng.integers(0, 128, 40), rng.integers(0, 48, 40)
    for region in (Region("half", 0.8125, 0, 0.5, 1), Region("tile", 0.75, 0.25, 0.25, 0.25)):
        mask = np.concatenate([region.mask(64, 128)] * 2, axis=1)
        counted = [mask[top : top + 16, left : left + 16].mean() for left, top in zip(x, y, strict=True)]
        np.testing.assert_allclose(damaged_shares(crops(x, y, 16), region, 128, 64), counted)


def test_share_of_a_viewport_is_that_of_the_projected_mask():
    rng = np.random.default_rng(1)
    places = {
        "yaw": rng.uniform(-np.pi, np.pi, 40),
        "pitch": rng.uniform(-1.5, 1.5, 40),
        "fov": rng.uniform(0.4, 1.4, 40),
    }
    patches = as_table(pd.DataFrame(places).assign(size=96), "patches").to_pandas()
    for region in (
        Region("half", 0.7, 0, 0.5, 1),
        Region("band", 0, 0.3, 1, 0.2222),
        Region("tile", 5 / 6, 0, 1 / 6, 0.25),
    ):
        mask = torch.from_numpy(region.mask(512, 1024).astype(np.float32)).expand(3, -1, -1)
        seen = extract_viewports(mask, places["yaw"], places["pitch"], places["fov"], 96)[:, 0].mean((1, 2)).numpy()
        assert (seen > 0.5).any() and (seen < 0.1).any()
        np.testing.assert_allclose(damaged_shares(patches, region, 1024, 512), seen, atol=0.02)


def test_auc_is_the_probability_of_pairs_with_ties_as_halves():
    rng = np.random.default_rng(2)
    for _ in range(20):
        values, damaged = rng.integers(0, 6, 25).astype(float), rng.random(25) < 0.4
        pairs = [
            (one > other) + 0.5 * (one == other)
            for one in values[damaged].tolist()
            for other in values[~damaged].tolist()
        ]
        assert auc(values, damaged) == pytest.approx(np.mean(pairs))
    assert auc(np.array([1.0, 2.0]), np.array([False, True])) == 1
    assert auc(np.zeros(9), np.arange(9) < 4) == 0.5
    assert np.isnan(auc(np.zeros(3), np.ones(3, bool)))


@pytest.fixture
def study():
    """Tables of images in whose left half, where four of eight patches lie, the student gives lower scores."""
    rng = np.random.default_rng(3)
    names = [f"{content}_{number}.png" for content in range(CONTENTS) for number in range(EACH)]
    images = pd.DataFrame({"image_id": names, "reference_id": [name[0] for name in names], "status": "ok"})
    images = images.assign(dataset="toy", width=80, height=40, level=np.arange(len(names)) % 2 + 2)
    images["region"] = "half 0 0 0.5 1"
    images.loc[0, "region"] = None  # a pristine image
    patches = pd.DataFrame({"image_id": np.repeat(names, PATCHES), "x": np.tile(np.arange(PATCHES) * 10, len(names))})
    patches = patches.assign(patch_id=np.arange(len(patches)), y=0, size=10)
    roles = pd.DataFrame({"image_id": names, "split": np.arange(len(names)) % 2})
    scores = pd.concat([roles, roles.assign(split=2 + roles.split)]).merge(patches)
    scores = scores.assign(dataset="toy", sampler="grid", encoder="tiny", student="mlp")
    scores["score"] = 0.5 - 0.1 * (scores.x < 40) + 0.1 * rng.normal(size=len(scores))
    return {
        "patch_scores": {"mlp": as_table(scores.drop(columns=["x", "y", "size"]), "patch_scores")},
        "images": as_table(images, "images"),
        "patches": as_table(patches, "patches"),
    }


def ranking(study, order):
    patches = study["patches"].select(["patch_id", "image_id"]).to_pandas()
    return as_table(patches.assign(rank=np.tile(order, len(patches) // PATCHES)), "selection")


def measure(study, selections):
    settings = {"sampler": "grid", "encoder": "tiny", "draws": 200, "seed": 0}
    damage, patches = measure_damage(**study, selections=selections, official={}, **settings)
    assert damage.schema == SCHEMAS["damage"] and patches.schema == SCHEMAS["damaged_patches"]
    return damage.to_pandas(), patches.to_pandas()


def test_student_is_judged_image_by_image_over_its_splits(study):
    damage, patches = measure(study, {})
    rows = study["patch_scores"]["mlp"].to_pandas()
    rows = rows[rows.image_id != "0_0.png"]
    damaged = rows.patch_id % PATCHES < 4
    by_image = {
        name: np.mean([auc(-one.score.to_numpy(), damaged[one.index].to_numpy()) for _, one in image.groupby("split")])
        for name, image in rows.groupby("image_id")
    }
    (overall,) = damage[damage.region.isna() & damage.level.isna()].itertuples()
    assert (overall.selector, overall.student, overall.images, overall.contents) == ("all", "mlp", 17, 6)
    assert overall.auc == pytest.approx(np.mean(list(by_image.values()))) and 0.6 < overall.auc < 0.95
    assert overall.low < overall.auc < overall.high
    assert patches.damaged.tolist() == [1.0] * 4 + [0.0] * 4 + patches.damaged.tolist()[8:] and len(patches) == 17 * 8
    means = rows.groupby("patch_id").score.mean()
    np.testing.assert_allclose(patches.score, means[patches.patch_id])


def test_parts_are_kinds_of_regions_and_levels(study):
    damage, _ = measure(study, {})
    kinds = damage[damage.region.notna()].set_index("region")
    assert kinds.images.to_dict() == {"half": 17, "tile": 0, "band": 0} and np.isnan(kinds.auc["tile"])
    levels = damage[damage.level.notna()].set_index("level")
    assert levels.images.to_dict() == {2: 8, 3: 9}
    assert np.average(levels.auc, weights=levels.images) == pytest.approx(kinds.auc["half"])


def test_selector_that_keeps_damaged_patches_first_finds_them(study):
    first, alternating = np.arange(PATCHES), np.array([0, 2, 4, 6, 1, 3, 5, 7])
    damage, _ = measure(
        study, {"first": ranking(study, first), "last": ranking(study, first[::-1]), "mix": ranking(study, alternating)}
    )
    found = damage[damage.region.isna() & damage.level.isna()].set_index("selector").auc
    assert found[["first", "last", "mix"]].tolist() == pytest.approx([1.0, 0.0, 10 / 16])


def test_tables_do_not_depend_on_the_order_of_rows(study):
    damage, patches = measure(study, {"first": ranking(study, np.arange(PATCHES))})
    shuffled = study["patch_scores"]["mlp"].to_pandas().sample(frac=1, random_state=1)
    again = {**study, "patch_scores": {"mlp": as_table(shuffled, "patch_scores")}}
    other, other_patches = measure(again, {"first": ranking(study, np.arange(PATCHES))})
    pd.testing.assert_frame_equal(damage, other)
    pd.testing.assert_frame_equal(patches, other_patches)


def test_images_without_regions_and_unranked_patches_are_refused(study):
    whole = study["images"].to_pandas().assign(region=None)
    with pytest.raises(InputError, match=r"column region of images\.csv"):
        measure({**study, "images": as_table(whole, "images")}, {})
    with pytest.raises(InputError, match=r"selection of few: patch 143 is missing"):
        measure(study, {"few": ranking(study, np.arange(PATCHES)).slice(0, CONTENTS * EACH * PATCHES - 1)})
