import numpy as np
import pytest
from scipy.stats import spearmanr

from iqadistill.training.rank_correlation import rank_correlation


def test_rank_correlation_matches_scipy():
    draw = np.random.default_rng(0)
    predictions, quality = draw.integers(0, 9, (5, 30)), draw.integers(0, 9, 30)
    expected = [spearmanr(row, quality).statistic for row in predictions]
    assert rank_correlation(predictions, quality).tolist() == pytest.approx(expected)


def test_rank_correlation_of_equal_and_reversed_order_is_exact():
    quality = np.random.default_rng(1).random(101)
    assert rank_correlation(np.stack([quality**3, -quality]), quality).tolist() == [1.0, -1.0]


def test_rank_correlation_of_predictions_that_are_not_numbers_is_nan():
    predictions = np.array([[1.0, np.nan, 3.0], [1.0, 2.0, 3.0]])
    assert np.isnan(rank_correlation(predictions, np.arange(3))).tolist() == [True, False]


@pytest.mark.parametrize(("predictions", "quality"), [([[2, 2, 2]], [1, 2, 3]), ([[1, 2, 3]], [4, 4, 4])])
def test_rank_correlation_of_constant_values_is_nan(predictions, quality):
    assert np.isnan(rank_correlation(np.array(predictions), np.array(quality))).all()
