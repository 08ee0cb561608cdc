import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from iqadistill.errors import InputError
from iqadistill.evaluation import fit_logistic, plcc

X = np.linspace(-2, 3, 60)


@pytest.mark.parametrize("parameters", [4, 5])
def test_recovers_a_logistic_of_the_same_form(parameters):
    y = 20 + 60 / (1 + np.exp(-(X - 0.4) / 0.5)) + (0.8 * X if parameters == 5 else 0)
    curve = fit_logistic(X, y, parameters)
    assert curve.form == f"logistic{parameters}"
    np.testing.assert_allclose(curve(X), y, atol=1e-4)


@pytest.mark.parametrize("parameters", [4, 5])
def test_upside_down_predictor_stays_upside_down(parameters):
    generator = np.random.default_rng(0)
    y = generator.random(120)
    x = 1 - y + 0.1 * generator.normal(size=120)
    curve = fit_logistic(x[:60], y[:60], parameters)
    assert curve.form == "line"
    raw, mapped = plcc(x[60:], y[60:]), plcc(curve(x[60:]), y[60:])
    assert raw < -0.8 and mapped == pytest.approx(raw)
    training = curve(x[:60])
    assert (training.mean(), training.std()) == pytest.approx((y[:60].mean(), y[:60].std()))


@pytest.mark.parametrize("parameters", [4, 5])
@given(seed=st.integers(0, 10**6), images=st.integers(6, 40))
def test_predictions_without_relation_to_scores_keep_a_plcc(parameters, seed, images):
    generator = np.random.default_rng(seed)
    x, y = generator.normal(size=images + 10), generator.random(images + 10)
    curve = fit_logistic(x[:images], y[:images], parameters)
    mapped = plcc(curve(x[images:]), y[images:])
    assert np.isfinite(mapped)
    if curve.form == "line":
        assert mapped == pytest.approx(plcc(x[images:], y[images:]))


def test_training_predictions_in_two_clusters_do_not_ruin_a_perfect_predictor():
    kept = []
    for seed in range(300):
        generator = np.random.default_rng(seed)
        high = generator.random(80) < generator.uniform(0.3, 0.7)
        y, x = (np.where(high, 0.75, 0.25) + noise * generator.normal(size=80) for noise in (0.05, 0.02))
        quality = generator.normal(0.5, 0.2, 60)
        kept.append(plcc(fit_logistic(x, y)(quality), quality))
    assert np.mean(np.array(kept) >= 0.9) > 0.98 and min(kept) > 0.85


@given(st.integers(0, 1000), st.floats(1e-6, 1e6), st.floats(-1e3, 1e3))
def test_mapping_is_invariant_to_the_units_of_the_predictions(seed, unit, offset):
    generator = np.random.default_rng(seed)
    x = generator.normal(size=30)
    y = np.tanh(x) + 0.1 * generator.normal(size=30)
    offset *= unit
    np.testing.assert_allclose(fit_logistic(x * unit + offset, y)(x * unit + offset), fit_logistic(x, y)(x), atol=1e-3)


@given(st.integers(0, 1000))
def test_four_parameter_logistic_never_falls_and_is_better_than_the_mean(seed):
    generator = np.random.default_rng(seed)
    x, y = generator.normal(size=12), generator.random(12)
    curve = fit_logistic(x, y)
    assert (np.diff(curve(np.linspace(-5, 5, 200))) >= -1e-9).all()
    if curve.form == "logistic4":
        assert np.mean((curve(x) - y) ** 2) <= 1.01 * np.var(y)


@pytest.mark.parametrize("parameters", [4, 5])
def test_too_few_images_give_a_rising_line(parameters):
    assert fit_logistic([0.0, 1.0, 2.0], [1.0, 3.0, 5.0], parameters).form == "line"
    np.testing.assert_allclose(fit_logistic([0.0, 1.0, 2.0], [1.0, 3.0, 5.0])([3.0]), [7.0])
    np.testing.assert_allclose(fit_logistic([0.0, 1.0], [3.0, 1.0])([0.0, 1.0]), [1.0, 3.0])


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
