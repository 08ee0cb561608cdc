import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from iqadistill.errors import InputError
from iqadistill.evaluation import fit_logistic

X = np.linspace(-2, 3, 60)


@pytest.mark.parametrize("parameters", [4, 5])
def test_recovers_a_logistic_of_the_same_form(parameters):
    y = 20 + 60 / (1 + np.exp(-(X - 0.4) / 0.3)) + (0.8 * X if parameters == 5 else 0)
    curve = fit_logistic(X, y, parameters)
    assert curve.form == f"logistic{parameters}"
    np.testing.assert_allclose(curve(X), y, atol=1e-4)


def test_recovers_a_decreasing_logistic():
    y = 1 / (1 + np.exp(3 * X))
    np.testing.assert_allclose(fit_logistic(X, y)(X), y, atol=1e-5)


@given(st.integers(0, 1000), st.floats(1e-6, 1e6), st.floats(-1e3, 1e3))
def test_mapping_is_invariant_to_the_units_of_the_predictions(seed, unit, offset):
    generator = np.random.default_rng(seed)
    x = generator.normal(size=30)
    y = np.tanh(x) + 0.1 * generator.normal(size=30)
    offset *= unit
    np.testing.assert_allclose(fit_logistic(x * unit + offset, y)(x * unit + offset), fit_logistic(x, y)(x), atol=1e-3)


@given(st.integers(0, 1000))
def test_four_parameter_logistic_is_monotone_and_better_than_the_mean(seed):
    generator = np.random.default_rng(seed)
    x, y = generator.normal(size=12), generator.random(12)
    curve = fit_logistic(x, y)
    steps = np.diff(curve(np.linspace(-5, 5, 200)))
    assert (steps >= -1e-9).all() or (steps <= 1e-9).all()
    assert np.mean((curve(x) - y) ** 2) <= np.var(y) + 1e-9


@pytest.mark.parametrize("parameters", [4, 5])
def test_too_few_images_give_a_non_decreasing_line(parameters):
    assert fit_logistic([0.0, 1.0, 2.0], [1.0, 3.0, 5.0], parameters).form == "line"
    np.testing.assert_allclose(fit_logistic([0.0, 1.0, 2.0], [1.0, 3.0, 5.0])([3.0]), [7.0])
    np.testing.assert_allclose(fit_logistic([0.0, 1.0], [3.0, 1.0])([0.0, 5.0]), [2.0, 2.0])


def test_constant_predictions_are_mapped_to_the_mean_score():
    curve = fit_logistic(np.full(20, 0.3), np.arange(20.0))
    assert curve.form == "line"
    np.testing.assert_allclose(curve([0.1, 0.9]), 9.5)


def test_extreme_predictions_are_mapped_to_finite_scores():
    curve = fit_logistic(X, 1 / (1 + np.exp(-50 * X)))
    assert np.isfinite(curve([-1e9, 1e9])).all()


def test_invalid_input_is_refused():
    with pytest.raises(InputError, match=r"evaluation\.logistic: .*\b3\b"):
        fit_logistic(X, X, 3)
    with pytest.raises(InputError, match=r"^logistic: "):
        fit_logistic([], [])
    with pytest.raises(InputError, match=r"scores: .*\b2\b"):
        fit_logistic([1.0, 2.0, 3.0], [1.0, 2.0, np.inf])
