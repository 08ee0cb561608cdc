"""Scores of test images from few of their patches."""

import numpy as np
import pandas as pd
import pytest
from scipy.stats import spearmanr

from iqadistill.errors import InputError
from iqadistill.evaluation.budgets import Chooser, measure_budgets
from iqadistill.selection.random_draws import RandomRankings
from iqadistill.tables import SCHEMAS, as_table

IMAGES, PATCHES, SPLITS = 30, 6, 4


@pytest.fixture
def study():
    """Tables of a dataset whose first patch of an image tells its quality and the others do hardly."""
    rng = np.random.default_rng(0)
    names = [f"{number}.png" for number in range(IMAGES)]
    quality = rng.random(IMAGES)
    images = pd.DataFrame({"image_id": names, "quality": quality, "reference_id": names, "status": "ok"})
    roles = pd.concat(
        pd.DataFrame(
            {"split": split, "image_id": names, "role": np.where(np.arange(IMAGES) % 4 == split, "test", "train")}
        )
        for split in range(SPLITS)
    )
    rows = roles[roles.role == "test"].loc[lambda frame: frame.index.repeat(PATCHES)]
    rows["order"] = np.tile(np.arange(PATCHES), len(rows) // PATCHES)
    rows["patch_id"] = [
        names.index(name) * PATCHES + order for name, order in zip(rows.image_id, rows.order, strict=True)
    ]
    noise = np.where(rows.order == 0, 0.01, 0.6) * rng.normal(size=len(rows))
    rows["score"] = quality[rows.patch_id // PATCHES] + noise
    facts = {"dataset": "toy", "sampler": "grid", "encoder": "tiny", "student": "mlp"}
    scores = rows.drop(columns=["role", "order"]).assign(**facts).sample(frac=1, random_state=0)
    return {
        "patch_scores": as_table(scores, "patch_scores"),
        "images": as_table(images, "images"),
        "splits": as_table(roles, "splits"),
    }


def ranking(order):
    patches = np.arange(IMAGES * PATCHES)
    rows = {
        "patch_id": patches,
        "image_id": [f"{patch // PATCHES}.png" for patch in patches],
        "rank": np.tile(order, IMAGES),
    }
    return as_table(pd.DataFrame(rows).sample(frac=1, random_state=1), "selection")


def measure(study, choosers, **settings):
    table = measure_budgets(**study, choosers=choosers, official={}, seed=3, margin=0.01, **settings)
    assert table.schema == SCHEMAS["budgets"]
    return table.to_pandas().set_index(["selector", "patches"])


def pooled_srcc(study, weight):
    """Mean over splits of the SRCC of weighted patch scores, by patch_id."""
    rows = study["patch_scores"].to_pandas().merge(study["images"].to_pandas()[["image_id", "quality"]])
    rows["weight"] = weight[rows.patch_id]
    rows["weighted"] = rows.weight * rows.score
    sums = rows.groupby(["split", "image_id"]).agg(a=("weighted", "sum"), b=("weight", "sum"), q=("quality", "first"))
    return sums.groupby("split").apply(lambda one: spearmanr(one.a / one.b, one.q).statistic).mean()


def test_good_choice_is_better_than_random_and_a_bad_one_is_not(study):
    table = measure(study, {"best": Chooser(ranking(np.arange(6))), "worst": Chooser(ranking(np.arange(6)[::-1]))})
    assert table.verdict["best", 1] == "better" and table.below["best", 1] == 99
    assert table.verdict["worst", 1] != "better"
    assert table.srcc["best", 1] == pytest.approx(pooled_srcc(study, np.tile([1, 0, 0, 0, 0, 0], IMAGES)))
    assert table.srcc["worst", 2] == pytest.approx(pooled_srcc(study, np.tile([0, 0, 0, 0, 1, 1], IMAGES)))
    assert table.srcc["all", 6] == pytest.approx(pooled_srcc(study, np.ones(IMAGES * PATCHES)))
    assert sorted({count for _, count in table.index}) == [1, 2, 4, 6]


def test_random_is_the_mean_over_rankings_of_the_seed(study):
    table = measure(study, {}, draws=9)
    patches = study["patch_scores"].select(["patch_id", "image_id"]).to_pandas().drop_duplicates()
    patches = patches.sort_values(["image_id", "patch_id"])
    rankings, weight = RandomRankings(as_table(patches, "selection"), seed=3), np.empty(IMAGES * PATCHES)
    values = []
    for number in range(9):
        weight[patches.patch_id] = rankings.draw(number)["rank"].to_numpy() < 2
        values.append(pooled_srcc(study, weight))
    assert table.srcc["random", 2] == pytest.approx(np.mean(values))
    assert pd.isna(table.verdict["random", 2]) and table.all_verdict["random", 2] is not None
    assert table.low["random", 2] == pytest.approx(np.quantile(values, 0.025)) and table.draws["random", 2] == 9


def test_weights_are_the_patches_nearest_to_the_chosen_ones(study):
    order = np.array([0, 5, 2, 3, 1, 4])  # the first patch, then the fifth
    vectors = np.tile([[0.0], [0.1], [0.2], [0.3], [9.0], [8.0]], (IMAGES, 1))
    selection = ranking(order)
    chooser = Chooser(selection, vectors[selection["patch_id"].to_numpy()])
    table = measure(study, {"placed": chooser})
    assert table.srcc["placed", 2] == pytest.approx(pooled_srcc(study, np.tile([4, 0, 0, 0, 2, 0], IMAGES)))


def test_distance_falls_with_the_number_of_patches_and_all_have_none(study):
    table = measure(study, {"best": Chooser(ranking(np.arange(6)))})
    assert table.distance["all", 6] == 0
    assert table.distance["random", 1] > table.distance["random", 2] > table.distance["random", 4] > 0


def test_there_are_as_many_random_rankings_as_the_selectors_need(study):
    many = {f"{number}": Chooser(ranking(np.roll(np.arange(6), number))) for number in range(6)}
    table = measure(study, many)
    assert set(table.draws.dropna()) == {120}
    assert table.verdict["0", 1] == "better"


def test_scores_that_equal_those_of_all_patches_are_equivalent(study):
    scores = study["patch_scores"].to_pandas()
    scores["score"] = scores.groupby(["split", "image_id"]).score.transform("mean")
    scores["score"] += 1e-9 * np.random.default_rng(0).normal(size=len(scores))
    study["patch_scores"] = as_table(scores, "patch_scores")
    table = measure(study, {"best": Chooser(ranking(np.arange(6)))})
    assert table.all_difference["best", 1] == pytest.approx(0, abs=1e-6)
    assert table.all_verdict["best", 1] in ("equivalent", "undefined")


def test_selector_that_lacks_a_patch_is_refused(study):
    with pytest.raises(InputError, match="selection of best"):
        measure(study, {"best": Chooser(ranking(np.arange(6)).slice(1))})


def test_constant_scores_are_undefined_against_random_and_all(study):
    frame = study["patch_scores"].to_pandas()
    frame.loc[(frame.split == 2) & (frame.patch_id % PATCHES == 5), "score"] = 0.5
    study["patch_scores"] = as_table(frame, "patch_scores")
    table = measure(study, {"last": Chooser(ranking([5, 4, 3, 2, 1, 0]))}, draws=39)
    one = table.loc[("last", 1)]
    assert one.verdict == one.all_verdict == "undefined" and "split 2 of 4" in one.reason
    assert np.isnan(one[["srcc", "difference", "all_difference"]].astype(float)).all()
    assert table.loc[("last", 4), "verdict"] != "undefined"
