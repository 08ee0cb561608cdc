import numpy as np
import pandas as pd
import pytest

from iqadistill.evaluation import compare_variants, evaluate_predictions
from iqadistill.evaluation.drawn_rankings import DrawnRankings
from iqadistill.evaluation.random_rankings import compare_with_random, scores_by_split
from iqadistill.evaluation.tested import TestedVariants
from iqadistill.table_schemas import SCHEMAS
from iqadistill.tables import as_table
from iqadistill.training.rank_correlation import rank_correlation

DRAWS, KEEP = 29, 0.5
RESIDUAL = {
    "dataset": "toy",
    "sampler": "lat",
    "encoder": "enc",
    "selector": "residual",
    "keep": KEEP,
    "student": "mlp",
}


@pytest.fixture
def toy(toy_results):
    """The small results, and students of random rankings at one of their two keep rates."""
    results, generator = toy_results(), np.random.default_rng(3)
    own = results.predictions.to_pandas().query("selector == 'residual' and keep == @KEEP")
    roles = pd.concat([results.roles(split).rename("role").reset_index().assign(split=split) for split in range(4)])
    own = own.merge(roles, on=["split", "image_id"]).query("role == 'test'")
    drawn = [
        own.assign(draw=number, prediction=own.score + 0.2 * generator.normal(size=len(own))) for number in range(DRAWS)
    ]
    results.draws = as_table(pd.concat(drawn).sample(frac=1, random_state=0)[SCHEMAS["draws"].names], "draws")
    tested = TestedVariants(results.predictions, results.tables, results.splits, {})
    results.drawn = DrawnRankings(tested, [results.draws])
    return results


def srcc(rows):
    """Mean over splits of the SRCC."""
    return np.mean(
        [rank_correlation(r.prediction.to_numpy()[None], r.score.to_numpy())[0] for _, r in rows.groupby("split")]
    )


def test_selector_is_placed_among_the_students_of_random_rankings(toy):
    among = toy.drawn.place(RESIDUAL)
    random = [srcc(rows) for _, rows in toy.draws.to_pandas().groupby("draw")]
    metrics = evaluate_predictions(toy.predictions, toy.splits).to_pandas()
    own = metrics.query("selector == 'residual' and keep == @KEEP").srcc.mean()
    assert among.draws == DRAWS and among.below == np.sum(np.array(random) < own)
    assert among.estimate.difference == pytest.approx(own - np.mean(random))
    assert among.deviation == pytest.approx(np.std(random, ddof=1))


@pytest.mark.parametrize("change", [{"keep": 0.2}, {"sampler": "erp"}, {"selector": "kcenter"}, {"student": "other"}])
def test_selector_without_random_rankings_has_no_place(toy, change):
    assert toy.drawn.place({**RESIDUAL, **change}) is None


def test_comparisons_use_random_rankings_where_the_study_drew_them(toy):
    metrics = evaluate_predictions(toy.predictions, toy.splits)
    alone = compare_variants(metrics, toy.splits).to_pandas()
    table = compare_variants(metrics, toy.splits, drawn=toy.drawn).to_pandas()
    among = (table.family == "against_random") & (table.metric == "srcc") & (table.keep == KEEP)
    # by its place among 29 no selector of a sweep of two could be told apart
    assert list(table.test[among]) == ["random_rankings_t"] and list(table.draws[among]) == [DRAWS]
    assert set(table.test[~among]) == {"corrected_t"} and set(table.draws[~among]) == {0}
    rest = ["delta", "low", "high", "p"]
    pd.testing.assert_frame_equal(table.loc[~among, rest], alone.loc[~among, rest])
    place, row = toy.drawn.place(RESIDUAL, family=2), table[among].iloc[0]
    assert row.delta == pytest.approx(place.estimate.difference) and row.low < row.delta < row.high
    assert row.p == pytest.approx(place.estimate.p)
    assert row.high - row.low >= 2 * 2 * place.deviation


def test_p_by_the_deviation_agrees_with_the_place_among_near_normal_rankings(toy):
    place, deviation = toy.drawn.place(RESIDUAL), toy.drawn.place(RESIDUAL, family=2)
    assert (place.test, deviation.test) == ("random_rankings", "random_rankings_t")
    assert deviation.estimate.p == pytest.approx(place.estimate.p, abs=0.15)


def test_selectors_placed_together_are_placed_as_alone(toy):
    tested = TestedVariants(toy.predictions, toy.tables, toy.splits, {})
    for name in tested.selectors(RESIDUAL):
        tests = scores_by_split(
            tested.of({**RESIDUAL, "selector": name}), toy.draws.to_pandas(), tested.contents("toy")
        )
        alone, together = compare_with_random(list(tests.values())), toy.drawn.place({**RESIDUAL, "selector": name})
        assert together.below == alone.below
        assert vars(together.estimate) == pytest.approx(vars(alone.estimate))


def test_variants_are_found_at_keep_rates_that_no_decimal_number_equals(toy):
    frame = toy.predictions.to_pandas()
    thirds = as_table(frame.assign(keep=frame.keep.replace(KEEP, 1 / 3)), "predictions")
    tested = TestedVariants(thirds, toy.tables, toy.splits, {})
    assert len(tested.of({**RESIDUAL, "keep": 0.1 + 0.7 / 3})) and "residual" in tested.selectors(
        {**RESIDUAL, "keep": 1 / 3}
    )
    assert tested.of({**RESIDUAL, "keep": 0.3}).empty
