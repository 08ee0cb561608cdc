"""Scores of test images from few of their patches."""

import numpy as np
import pandas as pd
import pyarrow.compute as pc
import pytest
from scipy.stats import spearmanr

from iqadistill.errors import InputError
from iqadistill.evaluation.budgets import measure_budgets
from iqadistill.evaluation.enough_patches import enough_patches
from iqadistill.evaluation.learned_importance import fit_ridge, learned_ranks
from iqadistill.evaluation.patch_scores import Chooser, PatchScores
from iqadistill.selection.random_draws import RandomRankings
from iqadistill.table_schemas import SCHEMAS
from iqadistill.tables import as_table, embeddings_table

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


def placed():
    """Patches in their order as the best-placed ones, with places that make none stand for others."""
    places = np.tile(np.eye(PATCHES), (IMAGES, 1))
    selection = ranking(np.arange(PATCHES))
    return Chooser(selection, places[selection["patch_id"].to_numpy()])


def embeddings_of(selection, tells=0):
    """Embeddings in the order of a selection; their first number tells one of an image's patches from the others."""
    patches = selection["patch_id"].to_numpy()
    vectors = np.random.default_rng(5).normal(size=(len(patches), 4))
    vectors[:, 0] = 10 * (patches % PATCHES == tells)
    return embeddings_table(patches, selection["image_id"].to_pylist(), vectors.astype("float32"))


def measure(study, choosers, **settings):
    position = placed()
    settings = {"placed": position, "embeddings": embeddings_of(position.selection), "margin": 0.01, **settings}
    table = measure_budgets(**study, choosers=choosers, official={}, seed=3, **settings)
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
    assert sorted({count for _, count in table.index}) == [1, 2, 3, 4, 6]


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
    many = {f"{number}": Chooser(ranking(np.roll(np.arange(6), number))) for number in range(5)}
    table = measure(study, many)
    assert set(table.draws.dropna()) == {120}  # for 5, and learned importance
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


def test_learned_importance_finds_the_patch_nearest_to_the_score_from_all(study):
    scores = study["patch_scores"].to_pandas()
    scores["score"] += 4 * (scores.patch_id % PATCHES == 1) - 4 * (scores.patch_id % PATCHES == 2)  # far off, in pairs
    study["patch_scores"] = as_table(scores, "patch_scores")
    selection = placed().selection
    far = measure(study, {}, embeddings=embeddings_of(selection, tells=1))
    # patch 2, as far off as patch 1, looks like all others
    assert far.distance["learned", 4] < far.distance["random", 4]
    assert far.verdict["learned", 1] in ("better", "worse", "equivalent", "undecided")
    assert not pd.isna(far.below["learned", 1])


def test_learned_importance_of_a_split_sees_no_test_image_of_it(study):
    position = placed()
    scores = PatchScores(study["patch_scores"], study["images"], {})
    features = np.random.default_rng(1).normal(size=(len(scores.patch_id), 3))
    before = learned_ranks(scores, features, study["splits"])
    of_first = scores.split[scores.test] == 0
    scores.score, tested = scores.score.copy(), np.isin(scores.patch, scores.patch[of_first])
    scores.score[tested] = np.random.default_rng(2).normal(size=tested.sum())
    after = learned_ranks(scores, features, study["splits"])
    assert (before[of_first] == after[of_first]).all()
    assert (before[~of_first] != after[~of_first]).any()
    assert len(position.selection) == len(scores.patch_id)


def test_nothing_is_learned_where_training_images_are_tested_nowhere(study):
    one = pc.equal(study["patch_scores"]["split"], 0)
    study["patch_scores"] = study["patch_scores"].filter(one)
    study["splits"] = study["splits"].filter(pc.equal(study["splits"]["split"], 0))
    table = measure(study, {})
    assert "learned" not in table.index.get_level_values(0)
    assert table.index[-2] == ("auto", PATCHES)  # one split shows nothing to be enough


def test_ridge_regression_finds_the_weights():
    rng = np.random.default_rng(0)
    X, weights = rng.normal(size=(200, 5)), np.array([1.0, -2, 0, 0.5, 3])
    assert fit_ridge(X, X @ weights) == pytest.approx(weights, abs=1e-2)
    assert np.abs(fit_ridge(X, rng.normal(size=200))).max() < 0.2
    assert fit_ridge(np.zeros((9, 2)), np.ones(9)) == pytest.approx([0, 0])


def test_as_many_placed_patches_as_are_equivalent_to_all(study):
    scores = study["patch_scores"].to_pandas()
    whole = scores.groupby(["split", "image_id"]).score.transform("mean")
    noise = np.where(scores.patch_id % PATCHES == 0, 0.5, 0.05) * np.random.default_rng(0).normal(size=len(scores))
    scores["score"] = whole + noise  # the first patch misleads
    study["patch_scores"] = as_table(scores, "patch_scores")
    first, last = placed(), ranking(np.arange(PATCHES)[::-1])
    assert measure(study, {}, placed=first, margin=0.2).loc["auto"].index[0] >= 4
    places = np.tile(np.eye(PATCHES), (IMAGES, 1))[last["patch_id"].to_numpy()]
    settings = {"placed": Chooser(last, places), "embeddings": embeddings_of(last), "margin": 0.2}
    table = measure(study, {}, **settings)
    assert table.loc["auto"].index[0] == 1
    assert 1 <= table.mean_patches["auto", 1] <= 2
    few = [pooled_srcc(study, np.tile(weight, IMAGES)) for weight in ([0, 0, 0, 0, 0, 1.0], [0, 0, 0, 0, 1.0, 1.0])]
    assert min(few) - 0.05 < table.srcc["auto", 1] < max(few) + 0.05


def test_number_of_patches_of_a_split_is_decided_on_its_training_images(study):
    scores = PatchScores(study["patch_scores"], study["images"], {})
    pooled = {1: scores.pooled((scores.patch % PATCHES < 1).astype(float))}
    before = enough_patches(scores, pooled, study["splits"], margin=0.2)
    of_first = scores.split == 0
    spoiled = {1: np.where(np.isin(scores.image, scores.image[of_first]), np.arange(len(of_first)) % 7, pooled[1])}
    after = enough_patches(scores, spoiled, study["splits"], margin=0.2)
    assert before.by_split[0] == after.by_split[0]


def test_constant_scores_are_undefined_against_random_and_all(study):
    frame = study["patch_scores"].to_pandas()
    frame.loc[(frame.split == 2) & (frame.patch_id % PATCHES == 5), "score"] = 0.5
    study["patch_scores"] = as_table(frame, "patch_scores")
    table = measure(study, {"last": Chooser(ranking([5, 4, 3, 2, 1, 0]))}, draws=39)
    one = table.loc[("last", 1)]
    assert one.verdict == one.all_verdict == "undefined" and "split 2 of 4" in one.reason
    assert np.isnan(one[["srcc", "difference", "all_difference"]].astype(float)).all()
    assert table.loc[("last", 4), "verdict"] != "undefined"
