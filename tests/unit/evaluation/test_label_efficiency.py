"""What choosers decided against random draws."""

import numpy as np
import pandas as pd
import pytest

from iqadistill.evaluation.label_efficiency import label_efficiency, worth_in_random

IMAGES = [f"image{number:02d}" for number in range(40)]
NAMES = {"dataset": "toy", "sampler": "random_crops", "encoder": "lite0", "student": "mlp"}


def choices(noise, draws=99, splits=4, seed=0):
    """Table "choices": the scores with noise of a deviation that depends on the chooser."""
    random = np.random.default_rng(seed)
    score = np.random.default_rng(1).normal(size=len(IMAGES))
    students = [("all", 60 + splits, 0, 0.1)]
    for budget in (10, 20):
        students += [(chooser, budget, 0, deviation) for chooser, deviation in noise.items()]
        students += [("random", budget, draw, 1.0) for draw in range(draws)]
    rows = []
    for split in range(splits):
        tested = np.arange(split, len(IMAGES), 2)
        for chooser, budget, draw, deviation in students:
            prediction = score[tested] + deviation * random.normal(size=len(tested))
            facts = {
                "split": split,
                "chooser": chooser,
                "budget": budget,
                "draw": draw,
                "image_id": np.array(IMAGES)[tested],
            }
            rows.append(pd.DataFrame({**NAMES, **facts, "score": score[tested], "prediction": prediction}))
    return pd.concat(rows, ignore_index=True)


def decided(table, budgets=(10, 20), choosers=("good", "poor"), margin=0.01):
    images = {"toy": pd.DataFrame({"image_id": IMAGES, "reference_id": IMAGES})}
    rows = label_efficiency(table, images, budgets=budgets, choosers=choosers, margin=margin)
    return rows.set_index(["chooser", "budget"])


@pytest.fixture(scope="module")
def table():
    return choices({"good": 0.2, "poor": 4.0, "other": 1.0})


def test_choosers_beyond_all_draws_are_decided(table):
    rows = decided(table)
    assert set(rows.loc["good"].verdict) == {"better"} and set(rows.loc["poor"].verdict) == {"worse"}
    assert set(rows.loc["good"].below) == {99} and set(rows.loc["poor"].below) == {0}
    assert rows.loc[("good", 10), "p"] == pytest.approx(0.01)


def test_srcc_is_the_mean_over_splits(table):
    rows = decided(table)
    of_good = table[(table.chooser == "good") & (table.budget == 20)]
    expected = [of_split.score.corr(of_split.prediction, "spearman") for _, of_split in of_good.groupby("split")]
    assert rows.loc[("good", 20), "srcc"] == pytest.approx(np.mean(expected))
    assert rows.loc[("good", 20), "difference"] == pytest.approx(np.mean(expected) - rows.loc[("random", 20), "srcc"])


def test_band_holds_most_of_the_draws(table):
    rows, drawn = decided(table), table[(table.chooser == "random") & (table.budget == 10)]
    by_split = drawn.groupby(["draw", "split"]).apply(lambda one: one.score.corr(one.prediction, "spearman"))
    means = by_split.groupby("draw").mean()
    low, high = rows.loc[("random", 10), ["band_low", "band_high"]]
    assert means.between(low, high).mean() == pytest.approx(0.95, abs=0.02)


def test_student_of_all_images_stands_apart(table):
    rows = decided(table)
    assert list(rows.loc["all"].index) == [64] and rows.loc["all"].srcc.iloc[0] > rows.loc[("random", 20), "srcc"]


def test_only_what_the_experiment_shows_is_decided(table):
    rows = decided(table, budgets=(20,), choosers=("other",))
    assert set(rows.index) == {("all", 64), ("random", 20), ("other", 20)}


def test_constant_scores_are_undefined():
    table = choices({"good": 0.2})
    table.loc[(table.chooser == "good") & (table.split == 2), "prediction"] = 0.5
    rows = decided(table, choosers=("good",))
    assert set(rows.loc["good"].verdict) == {"undefined"} and "split 2" in rows.loc[("good", 10), "reason"]


def test_students_without_srcc_are_not_left_out_of_means():
    table = choices({"good": 0.2})
    for chooser, draw in (("all", 0), ("random", 3)):
        rows = (table.chooser == chooser) & (table.draw == draw) & (table.split == 1) & (table.budget != 20)
        table.loc[rows, "prediction"] = 0.5
    rows = decided(table, choosers=("good",))
    assert rows.loc["all"].srcc.isna().all()
    assert rows.loc[("random", 10), ["srcc", "band_low", "band_high"]].isna().all()
    assert rows.loc[("good", 10), "verdict"] == "undefined" and "random draw" in rows.loc[("good", 10), "reason"]
    assert rows.loc[("good", 20), "verdict"] == "better"


def curve(chosen, random=((10, 0.5), (20, 0.6), (40, 0.7)), whole=0.8):
    """Rows of one student: the random curve with a band of +-.05, and chosen images of some SRCC."""
    rows = [{"chooser": "all", "budget": 160.0, "srcc": whole}]
    rows += [
        {"chooser": "random", "budget": float(n), "srcc": r, "band_low": r - 0.05, "band_high": r + 0.05}
        for n, r in random
    ]
    return pd.DataFrame(rows + [{"chooser": "good", "budget": 20.0, "srcc": value} for value in chosen])


def test_worth_is_the_number_of_random_images_with_the_same_srcc():
    worth = worth_in_random(curve([0.6, 0.65, 0.75]))
    assert worth.worth.tolist() == pytest.approx([20, 20 * 2**0.5, 40 * 4**0.5])
    # the upper end of the band comes up to .65 at 20 images, the lower one at 40
    assert worth.iloc[1][["worth_low", "worth_high"]].tolist() == pytest.approx([20, 40])


def test_worth_beyond_the_curve_has_no_number():
    worth = worth_in_random(curve([0.4, 0.9, np.nan])).worth
    assert worth.iloc[0] == 0 and np.isinf(worth.iloc[1]) and np.isnan(worth.iloc[2])
    assert worth_in_random(curve([0.6], random=((10, np.nan), (20, 0.6)))).isna().all(axis=None)


def test_worth_on_a_curve_that_falls_is_where_it_first_comes_up():
    worth = worth_in_random(curve([0.6, 0.65], random=((10, 0.6), (20, 0.55), (40, 0.7))))
    assert worth.worth.tolist() == pytest.approx([10, 20 * 2**0.5])


def test_choosers_have_their_worth_in_the_table(table):
    rows = decided(table)
    assert (rows.loc["good"].worth > 20).all() and (rows.loc["poor"].worth == 0).all()
    assert rows.loc[["all", "random"]].worth.isna().all()
