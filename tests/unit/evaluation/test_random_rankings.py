import numpy as np
import pytest

from iqadistill.evaluation.jackknife import SplitScores
from iqadistill.evaluation.random_rankings import compare_each_with_random, compare_with_random

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
    assert "selector" in result.estimate.reason and "split 3" in result.estimate.reason


def test_random_rankings_without_a_spread_are_undefined():
    tests = [SplitScores(np.tile(np.arange(8.0), (4, 1)), np.arange(8.0), np.arange(8)) for _ in range(2)]
    estimate = compare_with_random(tests).estimate
    assert not estimate.defined and estimate.reason


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
