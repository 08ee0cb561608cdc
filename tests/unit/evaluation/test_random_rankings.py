import numpy as np
import pandas as pd
import pytest
from scipy import stats

from iqadistill.evaluation.jackknife import SplitScores
from iqadistill.evaluation.random_rankings import compare_each_with_random, compare_with_random, scores_by_split
from iqadistill.training.rank_correlation import rank_correlation

DRAWS = 39


def sets(generator, shift=0.0, draws=DRAWS, images=60, splits=5, per_content=1):
    """Test sets of students that predict with noise of their own; the selector's noise is smaller by `shift`."""
    scores = generator.normal(size=images)
    noise = generator.normal(size=(1 + draws, images))
    noise[0] *= 1 - shift
    content = np.arange(images) // per_content
    order = generator.permutation(images // per_content)
    tests = []
    for split in range(splits):
        rows = np.isin(content, order[split::splits])
        tests.append(SplitScores((scores + 0.5 * noise)[:, rows], scores[rows], content[rows]))
    return tests


def test_p_is_the_place_by_distance_from_the_mean():
    tests = sets(np.random.default_rng(1), shift=0.9)
    result = compare_with_random(tests)
    assert result.estimate.p == pytest.approx(1 / (DRAWS + 1)) and result.below == DRAWS
    assert result.estimate.difference > 0


def test_selector_that_is_one_more_random_ranking_is_rarely_different():
    generator = np.random.default_rng(2)
    p = np.array([compare_with_random(sets(generator, draws=19, images=40)).estimate.p for _ in range(120)])
    assert np.mean(p <= 0.05) <= 0.1
    assert np.quantile(p, 0.5) == pytest.approx(0.5, abs=0.1)


def test_order_of_images_and_draws_does_not_matter():
    tests = sets(np.random.default_rng(3))
    generator = np.random.default_rng(4)
    draws = [0, *(1 + generator.permutation(DRAWS))]
    shuffled = []
    for test in tests:
        rows = generator.permutation(len(test.scores))
        shuffled.append(SplitScores(test.predictions[draws][:, rows], test.scores[rows], test.content[rows]))
    first, second = compare_with_random(tests), compare_with_random(shuffled)
    assert first.estimate.p == second.estimate.p
    assert first.estimate.broad_error == pytest.approx(second.estimate.broad_error)


def test_interval_over_contents_covers_no_difference():
    generator, covered = np.random.default_rng(7), []
    for _ in range(80):
        estimate = compare_with_random(sets(generator, draws=19, images=60)).estimate
        covered.append(abs(estimate.difference) < 2 * estimate.broad_error)
    assert np.mean(covered) >= 0.93


def test_constant_scores_are_undefined_and_say_where():
    tests = sets(np.random.default_rng(8))
    tests[3].predictions[0] = 0.5
    result = compare_with_random(tests)
    assert not result.estimate.defined
    assert "student that is compared" in result.estimate.reason and "split 3 of 5" in result.estimate.reason


def test_random_rankings_without_a_spread_are_undefined():
    tests = [SplitScores(np.tile(np.arange(8.0), (4, 1)), np.arange(8.0), np.arange(8)) for _ in range(2)]
    estimate = compare_with_random(tests).estimate
    assert not estimate.defined and estimate.reason


def test_draw_without_srcc_leaves_the_comparison_undefined():
    tests = sets(np.random.default_rng(9))
    tests[1].predictions[7] = 0.5
    reason = compare_with_random(tests, splits=[10, 11, 12, 13, 14]).estimate.reason
    assert "random draw" in reason and "split 11 of 5" in reason and "student that is compared" not in reason


def test_test_images_of_a_single_content_are_undefined():
    tests = [SplitScores(test.predictions, test.scores, 0 * test.content) for test in sets(np.random.default_rng(10))]
    estimate = compare_with_random(tests).estimate
    assert not estimate.defined and "contents" in estimate.reason


def test_few_rankings_are_tested_by_a_t_against_their_deviation():
    tests = sets(np.random.default_rng(11), shift=0.9, draws=9)
    few = compare_with_random(tests)
    means = np.mean([rank_correlation(test.predictions, test.scores) for test in tests], axis=0)
    expected = stats.ttest_1samp(means[1:] - means[0], 0)  # its error has no draw of the selector in it
    t = expected.statistic / np.sqrt(10)
    assert few.test == "random_rankings_t" and few.below == 9
    assert few.estimate.p == pytest.approx(2 * stats.t.sf(abs(t), 8)) and few.estimate.p < 0.05
    assert compare_with_random(sets(np.random.default_rng(12), draws=19)).test == "random_rankings"
    assert compare_with_random(sets(np.random.default_rng(12), draws=19), family=2).test == "random_rankings_t"


def test_few_rankings_that_are_not_normal_show_no_difference():
    tests = sets(np.random.default_rng(13), draws=9)
    for test in tests:
        test.predictions[1:9] = test.predictions[1] + 1e-3 * np.random.default_rng(0).normal(size=(8, len(test.scores)))
        test.predictions[9] = -test.scores
    few = compare_with_random(tests)
    assert few.p_normal < 0.05 and few.test == "random_rankings" and few.estimate.p >= 0.1


def test_rows_of_a_student_are_stacked_on_those_of_the_draws():
    names = ["b", "a", "c"]
    chosen = pd.DataFrame({"split": 4, "image_id": names, "score": [2.0, 1.0, 3.0], "prediction": [0.2, 0.1, 0.3]})
    drawn = pd.concat([chosen.assign(draw=draw, prediction=chosen.prediction + draw) for draw in (1, 0)])
    ((split, test),) = scores_by_split(chosen, drawn, {"a": "x", "b": "y", "c": "x"}).items()
    assert split == 4 and test.scores.tolist() == [1, 2, 3] and test.content.tolist() == [0, 1, 0]
    np.testing.assert_allclose(test.predictions, [[0.1, 0.2, 0.3], [0.1, 0.2, 0.3], [1.1, 1.2, 1.3]])


def test_selectors_compared_together_are_compared_as_alone():
    tests = sets(np.random.default_rng(9), shift=0.5)
    tests[1].predictions[1] = 0.5  # the second selector is constant on a split, which concerns it alone
    together = compare_each_with_random(tests, 2)
    for place, among in enumerate(together):
        rows = [place, *range(2, DRAWS + 1)]
        alone = [SplitScores(test.predictions[rows], test.scores, test.content) for test in tests]
        expected = compare_with_random(alone)
        assert among.below == expected.below and among.estimate.defined == expected.estimate.defined
        assert among.estimate.p == pytest.approx(expected.estimate.p, nan_ok=True)
        assert among.estimate.broad_error == pytest.approx(expected.estimate.broad_error, nan_ok=True)
    assert not together[1].estimate.defined
