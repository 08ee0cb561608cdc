import numpy as np
import pytest
from scipy import stats

from iqadistill.evaluation import level_over_splits, srcc

SIZES = {"n_train": 80, "n_test": 20}


def test_interval_is_a_corrected_t_on_fishers_z():
    # z = 1, 1.5, 2: mean 1.5, variance 1/4; that of the mean (1/3 + 1/4) / 4; the .975 quantile of t(2) is 4.3027
    level = level_over_splits("srcc", np.tanh([1.0, 2.0, 1.5]), **SIZES)
    half = 4.302653 * np.sqrt((1 / 3 + 1 / 4) / 4)
    assert level == pytest.approx(np.tanh([1.5, 1.5 - half, 1.5 + half]), rel=1e-6)
    assert level.mean == pytest.approx(0.905148, abs=1e-6)


def test_rmse_is_averaged_as_its_logarithm():
    level = level_over_splits("rmse", [0.1, 0.4], **SIZES)
    half = 12.706205 * np.sqrt((1 / 2 + 1 / 4) * np.log(4) ** 2 / 2)
    assert level == pytest.approx([0.2, 0.2 * np.exp(-half), 0.2 * np.exp(half)], rel=1e-6)


def test_perfect_correlation_on_a_split_is_finite():
    level = level_over_splits("krcc", [1.0, 0.9, 0.8], **SIZES)
    assert 0.9 < level.mean < 1 and level.low < level.mean < level.high <= 1


@pytest.mark.parametrize("values", [[0.8], [0.8, 0.8, 0.8], [1.0, 1.0]])
def test_a_single_split_or_equal_values_have_a_mean_and_no_interval(values):
    level = level_over_splits("plcc", values, **SIZES)
    assert level.mean == pytest.approx(values[0], abs=1e-3)
    assert np.isnan([level.low, level.high]).all()


def test_undefined_metric_on_one_split_has_neither_mean_nor_interval():
    assert np.isnan(level_over_splits("srcc", [0.8, np.nan, 0.7], **SIZES)).all()


def test_interval_covers_the_level_of_the_population_at_the_nominal_rate():
    """Predictors with errors of which a part is new in each training, on 10 random splits of 300 images."""
    generator, images, splits, covered, studies = np.random.default_rng(3), 300, 10, 0, 300
    error = 0.5
    # of jointly normal values with correlation r, Spearman's is 6 / pi arcsin(r / 2)
    population = 6 / np.pi * np.arcsin(0.5 / np.sqrt(1 + error**2))
    for _ in range(studies):
        quality, persistent = generator.normal(size=(2, images))
        values = []
        for _ in range(splits):
            test = generator.permutation(images)[:60]
            noise = np.sqrt(0.7) * persistent[test] + np.sqrt(0.3) * generator.normal(size=60)
            ranks = [stats.rankdata(x) for x in (quality[test], quality[test] + error * noise)]
            values.append(np.corrcoef(*ranks)[0, 1])
        level = level_over_splits("srcc", values, n_train=240, n_test=60)
        covered += level.low <= population <= level.high
    assert covered / studies >= 0.93


def test_ranks_of_the_coverage_test_give_srcc():
    x, y = np.random.default_rng(0).normal(size=(2, 20))
    assert np.corrcoef(stats.rankdata(x), stats.rankdata(y))[0, 1] == pytest.approx(srcc(x, y))
