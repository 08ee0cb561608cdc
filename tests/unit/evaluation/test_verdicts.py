import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from iqadistill.evaluation.paired import paired_test
from iqadistill.evaluation.verdicts import Estimate, decide, smallest_detectable

NAN = float("nan")


def estimate(difference, error=0.002, degrees=98, p=None):
    p = 2 * stats.t.sf(abs(difference) / error, degrees) if p is None else p
    return Estimate(difference, error, degrees, p, error, degrees)


@pytest.mark.parametrize(
    ("difference", "error", "expected"),
    [
        (0.03, 0.002, "better"),
        (-0.03, 0.002, "worse"),
        (0.001, 0.002, "equivalent"),
        (0.005, 0.002, "equivalent"),  # detectably above zero, and within the margin
        (0.001, 0.02, "undecided"),
        (0.02, 0.02, "undecided"),
    ],
)
def test_verdict_follows_from_difference_and_error(difference, error, expected):
    (verdict,) = decide([estimate(difference, error)], margin=0.01)
    assert verdict.verdict == expected


def test_interval_and_smallest_detectable_of_a_single_comparison():
    (verdict,) = decide([estimate(0.004, 0.003, 9)], margin=0.01)
    half = 0.003 * stats.t.ppf(0.975, 9)
    assert (verdict.low, verdict.high) == pytest.approx((0.004 - half, 0.004 + half))
    assert verdict.smallest_detectable == pytest.approx(0.003 * (stats.t.ppf(0.975, 9) + stats.t.ppf(0.8, 9)))


def test_smallest_detectable_difference_is_detected_with_a_power_of_80_percent():
    generator, error, splits = np.random.default_rng(0), 0.01, 40
    size = smallest_detectable(error, splits - 1)
    samples = size + error * np.sqrt(splits) * generator.normal(size=(4000, splits))
    found = [paired_test(row, np.zeros(splits)).p < 0.05 for row in samples]
    assert np.mean(found) == pytest.approx(0.8, abs=0.02)


def test_holm_corrects_over_the_family():
    alone = decide([estimate(0.0145, 0.006)], margin=0.01)
    family = decide([estimate(0.0145, 0.006), estimate(0.0, 0.006), estimate(0.0, 0.006)], margin=0.01)
    assert alone[0].verdict == "better" and family[0].verdict == "undecided"
    assert family[0].p_adjusted == pytest.approx(3 * alone[0].p_adjusted)
    assert family[0].smallest_detectable > alone[0].smallest_detectable


@given(st.lists(st.tuples(st.floats(-0.05, 0.05), st.floats(0.001, 0.02)), min_size=1, max_size=5))
def test_interval_excludes_zero_exactly_where_holm_rejects(pairs):
    for verdict in decide([estimate(*pair) for pair in pairs], margin=1e-6):
        rejected = verdict.p_adjusted < 0.05
        assert rejected == (verdict.low > 0 or verdict.high < 0) or np.isclose(verdict.p_adjusted, 0.05)


def test_equivalence_is_two_one_sided_tests():
    (verdict,) = decide([estimate(0.002, 0.004, 20)], margin=0.01)
    lower = stats.t.sf((0.002 + 0.01) / 0.004, 20)
    upper = stats.t.sf((0.01 - 0.002) / 0.004, 20)
    assert verdict.p_equivalence == pytest.approx(max(lower, upper))


def test_undefined_comparison_is_no_test_and_costs_the_others_nothing():
    undefined = Estimate(NAN, NAN, NAN, NAN, NAN, NAN, "constant predictions on split 3")
    alone, (first, second) = decide([estimate(0.02)], 0.01), decide([undefined, estimate(0.02)], 0.01)
    assert first.verdict == "undefined" and np.isnan(first.low)
    assert second == alone[0]


def test_difference_without_a_spread_is_undefined():
    test = paired_test([0.8, 0.8, 0.8], [0.8, 0.8, 0.8], n_train=80, n_test=20)
    one = Estimate(test.delta, test.error, test.degrees, test.p, test.error, test.degrees)
    assert decide([one], 0.01)[0].verdict == "undefined"
