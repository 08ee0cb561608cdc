import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from iqadistill.errors import InputError
from iqadistill.evaluation import holm, paired_test

A = np.array([0.91, 0.88, 0.93, 0.90, 0.87, 0.92, 0.89, 0.90, 0.94, 0.86])
B = np.array([0.89, 0.88, 0.90, 0.91, 0.85, 0.90, 0.88, 0.91, 0.92, 0.85])


def test_corrected_t_test_follows_nadeau_and_bengio():
    difference = A - B
    variance = (1 / 10 + 60 / 240) * difference.var(ddof=1)
    t = difference.mean() / np.sqrt(variance)
    result = paired_test(A, B, n_train=240, n_test=60)
    assert result.test == "corrected_t"
    assert result.delta == pytest.approx(difference.mean())
    assert result.p == pytest.approx(2 * stats.t.sf(abs(t), 9))
    assert result.high - result.delta == pytest.approx(stats.t.ppf(0.975, 9) * np.sqrt(variance))


def test_without_sizes_it_is_the_ordinary_paired_t_test():
    result = paired_test(A, B)
    assert result.test == "paired_t"
    assert result.p == pytest.approx(stats.ttest_rel(A, B).pvalue)
    assert result.p < paired_test(A, B, n_train=240, n_test=60).p


def test_correction_keeps_false_positives_near_the_level():
    generator, corrected, ordinary = np.random.default_rng(0), 0, 0
    for _ in range(300):  # splits share a common error, as overlapping training sets do
        errors = generator.normal(size=(10, 1)) * np.sqrt(0.8) + generator.normal() * np.sqrt(0.2)
        a, b = errors[:, 0], np.zeros(10)
        corrected += paired_test(a, b, n_train=80, n_test=20).p < 0.05
        ordinary += paired_test(a, b).p < 0.05
    assert corrected / 300 < 0.09 < ordinary / 300


def test_swapping_the_variants_flips_the_sign():
    forward, backward = paired_test(A, B), paired_test(B, A)
    assert (forward.delta, forward.low, forward.high) == pytest.approx((-backward.delta, -backward.high, -backward.low))
    assert forward.p == pytest.approx(backward.p)


@pytest.mark.parametrize("shift", [0.0, 0.01])
def test_same_difference_on_every_split_gives_no_test(shift):
    result = paired_test(A + shift, A, n_train=8, n_test=2)
    assert result.delta == pytest.approx(shift)
    assert np.isnan([result.low, result.high, result.p]).all()


def test_single_split_gives_a_difference_without_a_test():
    result = paired_test([0.9], [0.8])
    assert result.delta == pytest.approx(0.1)
    assert np.isnan([result.low, result.high, result.p]).all()


def test_undefined_metric_gives_no_test():
    result = paired_test([0.9, np.nan, 0.8], [0.8, 0.7, 0.6])
    assert np.isnan([result.delta, result.low, result.high, result.p]).all()


def test_invalid_input_is_refused():
    with pytest.raises(InputError, match=r"\(10,\) and \(3,\)"):
        paired_test(A, B[:3])
    with pytest.raises(InputError, match=r"n_train .*\b10\b.*n_test .*\bNone\b"):
        paired_test(A, B, n_train=10)
    with pytest.raises(InputError, match=r"n_train .*\b0\b.*n_test .*\b5\b"):
        paired_test(A, B, n_train=0, n_test=5)


def test_training_on_all_images_needs_no_correction():
    assert paired_test(A, B, n_train=10, n_test=0).p == paired_test(A, B).p


def test_holm_of_a_known_example():
    np.testing.assert_allclose(holm([0.01, 0.04, 0.03, 0.005]), [0.03, 0.06, 0.06, 0.02])


def test_holm_does_not_count_missing_values():
    np.testing.assert_allclose(holm([0.02, np.nan, 0.04]), [0.04, np.nan, 0.04])


@given(st.lists(st.floats(0, 1), min_size=1, max_size=12))
def test_holm_keeps_the_order_and_lies_between_raw_and_bonferroni(pvalues):
    raw, corrected = np.array(pvalues), holm(pvalues)
    assert (corrected >= raw).all()
    assert (corrected <= np.minimum(1, raw * len(raw)) + 1e-12).all()
    assert (np.diff(corrected[np.argsort(raw, kind="stable")]) >= 0).all()
