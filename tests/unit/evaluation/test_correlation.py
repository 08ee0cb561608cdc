import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from iqadistill.errors import InputError
from iqadistill.evaluation import krcc, plcc, rmse, srcc

vectors = st.integers(2, 30).flatmap(
    lambda n: st.tuples(*(arrays(np.float64, n, elements=st.integers(-50, 50).map(float)) for _ in range(2)))
)


def same(a, b):
    return np.isclose(a, b, atol=1e-9, equal_nan=True)


@given(vectors)
def test_rank_correlations_are_invariant_to_monotone_maps(pair):
    x, y = pair
    for measure in (srcc, krcc):
        assert same(measure(x, y), measure(x**3 + x, y))
        assert same(measure(x, y), -measure(-x, y))


@given(vectors, st.floats(0.1, 100), st.floats(-100, 100))
def test_plcc_is_invariant_to_linear_maps(pair, slope, offset):
    x, y = pair
    assert same(plcc(x, y), plcc(slope * x + offset, y))


@given(vectors)
def test_correlations_are_symmetric_and_bounded(pair):
    x, y = pair
    for measure in (srcc, plcc, krcc):
        assert same(measure(x, y), measure(y, x))
        assert np.isnan(measure(x, y)) or abs(measure(x, y)) <= 1 + 1e-12


def test_known_values():
    x, y = [1.0, 2.0, 3.0, 4.0], [1.0, 3.0, 2.0, 4.0]
    assert srcc(x, y) == pytest.approx(0.8)
    assert krcc(x, y) == pytest.approx(4 / 6)
    assert plcc(x, y) == pytest.approx(0.8)
    assert rmse(x, y) == pytest.approx(np.sqrt(0.5))


@pytest.mark.parametrize("measure", [srcc, plcc, krcc])
@pytest.mark.parametrize("constant", [[2.0, 2.0, 2.0], [0.1, 0.1 + 1e-16, 0.1], [], [1.0]])
def test_correlation_of_a_constant_is_undefined(measure, constant):
    assert np.isnan(measure(constant, np.arange(len(constant), dtype=float)))
    assert np.isnan(measure(np.arange(len(constant), dtype=float), constant))


@pytest.mark.parametrize("measure", [srcc, plcc, krcc, rmse])
def test_invalid_vectors_are_refused(measure):
    with pytest.raises(InputError, match=r"predictions \(2,\) and scores \(1,\)"):
        measure([1.0, 2.0], [1.0])
    with pytest.raises(InputError, match=r"predictions: .*\b1\b"):
        measure([1.0, np.nan], [1.0, 2.0])
