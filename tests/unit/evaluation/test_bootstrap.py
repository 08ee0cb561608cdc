import numpy as np
import pytest

from iqadistill.errors import InputError
from iqadistill.evaluation import bootstrap_interval, krcc, plcc, rmse, srcc
from iqadistill.evaluation.bootstrap import resamples

MEASURES = {"srcc": srcc, "plcc": plcc, "krcc": krcc, "rmse": rmse}


def tied_pairs(splits, images, seed=0):
    generator = np.random.default_rng(seed)
    scores = [np.round(generator.normal(size=images), 1) for _ in range(splits)]
    return [np.round(score + generator.normal(size=images), 1) for score in scores], scores


@pytest.mark.parametrize("metric", list(MEASURES))
def test_interval_equals_that_of_explicit_resamples(metric):
    predictions, scores = tied_pairs(3, 25)
    sampled, counts = resamples((25, 25, 25), 200, 4)
    medians, used = [], [0, 0, 0]
    for draw in sampled:
        values = []
        for split in draw:
            images = np.repeat(np.arange(25), counts[split][used[split]].astype(int))
            used[split] += 1
            values.append(MEASURES[metric](predictions[split][images], scores[split][images]))
        medians.append(np.median(values))
    interval = bootstrap_interval(predictions, scores, metric, draws=200, seed=4)
    np.testing.assert_allclose(interval[1:], np.quantile(medians, [0.025, 0.975]), atol=1e-12)
    assert interval.median == np.median([MEASURES[metric](*pair) for pair in zip(predictions, scores, strict=True)])


def test_resample_has_as_many_images_as_the_test_set():
    sampled, counts = resamples((10, 4), 50, 0)
    assert sampled.shape == (50, 2)
    assert sum(len(split) for split in counts) == 100
    assert all((split.sum(1) == size).all() for split, size in zip(counts, (10, 4), strict=True))


def test_interval_covers_the_true_value_at_about_the_nominal_rate():
    generator, rho, hits = np.random.default_rng(1), 0.6, 0
    for _ in range(120):
        x = generator.normal(size=80)
        y = rho * x + np.sqrt(1 - rho**2) * generator.normal(size=80)
        interval = bootstrap_interval(x, y, "plcc", draws=200)
        hits += interval.low <= rho <= interval.high
    assert 0.88 <= hits / 120 <= 1.0


def test_more_images_narrow_the_interval():
    widths = []
    for images in (20, 200):
        interval = bootstrap_interval(*tied_pairs(5, images), draws=300)
        widths.append(interval.high - interval.low)
    assert widths[1] < 0.5 * widths[0]


def test_draws_depend_on_the_seed():
    pairs = tied_pairs(3, 30)
    assert bootstrap_interval(*pairs, seed=1) == bootstrap_interval(*pairs, seed=1)
    assert bootstrap_interval(*pairs, seed=1) != bootstrap_interval(*pairs, seed=2)


def test_perfect_correlation_has_a_zero_width_interval():
    x = np.arange(12.0)
    np.testing.assert_allclose(bootstrap_interval([x, x], [2 * x, 2 * x]), 1.0)


def test_undefined_metric_has_no_interval():
    assert np.isnan(bootstrap_interval([np.ones(5), np.arange(5.0)], [np.arange(5.0)] * 2)).all()


def test_tiny_test_sets_skip_undefined_resamples():
    interval = bootstrap_interval([0.0, 1.0, 2.0], [0.0, 2.0, 1.0])
    assert interval.low <= interval.median <= interval.high


def test_unknown_metric_is_named():
    with pytest.raises(InputError, match=r"metric.*'mae'"):
        bootstrap_interval([1.0, 2.0], [1.0, 2.0], "mae")


@pytest.mark.parametrize(
    ("predictions", "scores", "counts"),
    [([], [], ["0", "0"]), ([[1.0, 2.0]] * 3, [[1.0, 2.0]] * 2, ["3", "2"])],
)
def test_splits_of_predictions_and_scores_must_match(predictions, scores, counts):
    with pytest.raises(InputError, match=r"\b.*\b".join(counts)):
        bootstrap_interval(predictions, scores)


def test_one_test_set_is_resampled_once_for_all_splits():
    """Splits that agree on the same images say no more about other images than one of them."""
    generator = np.random.default_rng(5)
    scores = generator.random(60)
    prediction = scores + generator.normal(0, 0.3, 60)
    single = bootstrap_interval(prediction, scores, draws=2000)
    shared, separate = (
        bootstrap_interval([prediction] * 10, [scores] * 10, draws=2000, one_test_set=same) for same in (True, False)
    )
    width = single.high - single.low
    assert shared.high - shared.low == pytest.approx(width, rel=0.1)
    assert separate.high - separate.low < 0.6 * width
