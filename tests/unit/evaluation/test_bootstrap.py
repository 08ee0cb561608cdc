import numpy as np
import pytest
from scipy import stats

from iqadistill.evaluation import krcc, plcc, rmse, srcc
from iqadistill.evaluation.bootstrap import content_weights, interval_over_contents, resampled_metric

MEASURES = {"srcc": srcc, "plcc": plcc, "plcc_raw": plcc, "krcc": krcc, "rmse": rmse}


def tied_results(trainings, images, seed=0):
    """Rounded predictions (S, N) and scores (N,), with ties within and between them."""
    generator = np.random.default_rng(seed)
    scores = np.round(generator.normal(size=images), 1)
    return np.round(scores + generator.normal(size=(trainings, images)), 1), scores


@pytest.mark.parametrize("metric", list(MEASURES))
def test_metric_equals_that_of_explicit_resamples(metric):
    predictions, scores = tied_results(3, 40)
    contents = np.repeat(np.arange(10), 4)
    found = resampled_metric(metric, predictions, scores, contents, draws=30, seed=4)
    (weights,) = content_weights(contents, 30, 4)
    for draw, copies in zip(found, weights.astype(int), strict=True):
        expected = [MEASURES[metric](np.repeat(x, copies), np.repeat(scores, copies)) for x in predictions]
        np.testing.assert_allclose(draw, expected, atol=1e-12)


def test_images_of_one_content_are_resampled_together():
    contents = np.array([0, 0, 0, 1, 2, 2, 3])
    (weights,) = content_weights(contents, 200, 0)
    assert all(
        (weights[:, contents == content] == weights[:, [first]]).all() for content, first in enumerate([0, 3, 4, 6])
    )
    assert (weights[:, [0, 3, 4, 6]].sum(1) == 4).all()
    assert len(np.unique(weights, axis=0)) > 20


def test_draws_come_in_blocks_of_bounded_size():
    weights = list(content_weights(np.arange(900_000), 6, 0))
    assert [len(block) for block in weights] == [4, 2]


def test_draws_depend_on_the_seed_and_on_the_contents_alone():
    predictions, scores = tied_results(2, 30)
    contents = np.arange(30)
    one, same, other = (resampled_metric("srcc", predictions, scores, contents, draws=20, seed=s) for s in (1, 1, 2))
    alone = resampled_metric("srcc", predictions[:1], scores, contents, draws=20, seed=1)
    np.testing.assert_array_equal(one, same)
    np.testing.assert_array_equal(one[:, :1], alone)
    assert not np.array_equal(one, other)


def test_tied_resamples_are_undefined():
    predictions, scores, contents = np.array([[0.0, 1.0]]), np.array([0.0, 1.0]), np.arange(2)
    for metric in ("srcc", "plcc", "krcc"):
        found = resampled_metric(metric, predictions, scores, contents, draws=40, seed=0)
        assert np.isnan(found).any() and np.nanmin(found) == pytest.approx(1)


def test_interval_is_t_with_the_deviation_of_the_draws():
    # deviation of 1, 2, 3 is 1, times sqrt(4 / 3) for 4 contents; t(3) has its .975 quantile at 3.1824
    half = 3.182446 * np.sqrt(4 / 3)
    assert interval_over_contents(2.5, np.array([1.0, 2.0, np.nan, 3.0]), 4) == pytest.approx((2.5 - half, 2.5 + half))


@pytest.mark.parametrize(
    ("estimate", "draws", "contents"),
    [(0.5, [0.4, 0.6], 1), (0.5, [0.5, 0.5], 9), (0.5, [np.nan, 0.4], 9), (np.nan, [0.4, 0.6], 9)],
)
def test_no_interval_without_variation_over_contents(estimate, draws, contents):
    assert np.isnan(interval_over_contents(estimate, np.array(draws), contents)).all()


def test_interval_covers_the_level_of_the_population_with_few_contents():
    """Errors of which a third is shared by the images of a content, as predictors on another dataset make them."""
    generator, covered, studies, contents = np.random.default_rng(2), 0, 200, np.repeat(np.arange(15), 10)
    population = 6 / np.pi * np.arcsin(0.5 / np.sqrt(1.25))
    for _ in range(studies):
        quality, own = generator.normal(size=(2, 150))
        error = np.sqrt(1 / 3) * generator.normal(size=15)[contents] + np.sqrt(2 / 3) * own
        prediction = quality + 0.5 * error
        drawn = resampled_metric("srcc", prediction[None], quality, contents, draws=100, seed=0)
        value = stats.spearmanr(prediction, quality).statistic
        low, high = np.tanh(interval_over_contents(np.arctanh(value), np.arctanh(drawn[:, 0]), 15))
        covered += low <= population <= high
    assert covered / studies >= 0.91
