"""The certified solver against slow, plain re-weighting, on designs of many kinds, sizes and scales."""

import numpy as np
import pytest

from iqadistill.selection.irls import solve_irls
from iqadistill.selection.objective import duality_gap, huber, row_norms
from iqadistill.selection.reweighting import sorted_weights
from iqadistill.selection.similarity import similarity_matrix, spectral_target

KINDS = ("relu", "gauss", "standardised", "constant", "duplicates", "low rank", "zeros")


def design(kind, n, d, rng):
    X = rng.standard_normal((n, d))
    match kind:
        case "relu":
            X = np.maximum(0, 0.5 + 0.4 * rng.standard_normal((n, 4)) @ rng.standard_normal((4, d)) + 0.3 * X)
        case "standardised":
            X = (X - X.mean(0)) / np.maximum(X.std(0), 1e-12)
        case "constant":
            X[:, rng.random(d) < 0.5] = 3
        case "duplicates":
            X = X[rng.integers(0, n, n)]
        case "low rank":
            X = rng.standard_normal((n, 2)) @ rng.standard_normal((2, d))
        case "zeros":
            X[:, rng.random(d) < 0.5] = 0
    return X


def problem(kind, n, d, h, seed=0, scale=1.0):
    E = scale * design(kind, n, d, np.random.default_rng(seed))
    return E, spectral_target(similarity_matrix(E, gamma="scale_free"), h)


def solve(E, Z, alpha=0.1, beta=0.1, tol=1e-10, **options):
    return solve_irls(E, Z, alpha, beta, options.pop("max_iter", 1000), tol, **options)


def slowly(E, Z, alpha, beta, steps):
    """Phi after plain re-weightings of W, from equal weights, with R eliminated by its weights."""
    t, s = np.full(E.shape[1], 1 / alpha), np.ones(len(E))
    for _ in range(steps):
        Y = np.linalg.solve((E * t) @ E.T + np.diag(s), Z)
        g, y = row_norms(E.T @ Y), row_norms(Y)
        value = float(huber(s * y, beta).sum() + alpha * (t * g).sum())
        t, s = t * 2 * g / alpha, np.maximum(s * 2 * y / beta, 1)
    return value


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(("n", "d", "h"), [(2, 1, 1), (2, 30, 2), (25, 7, 3), (20, 150, 10), (12, 90, 12)])
def test_objective_is_that_of_w_and_no_slower_method_gets_below_it(kind, n, d, h):
    for alpha, beta in ((0.1, 0.1), (0.01, 1.0), (1.0, 0.02)):
        E, Z = problem(kind, n, d, h)
        solution = solve(E, Z, alpha, beta)
        assert solution.converged
        assert solution.gaps[-1] <= 1e-10
        value, gap = duality_gap(E, Z, solution.coef, alpha, beta)
        assert value == pytest.approx(solution.objective[-1], rel=1e-12)
        assert gap <= 1e-4  # its dual point is another one, farther from the solution
        np.testing.assert_allclose(solution.misfit, E @ solution.coef - Z, rtol=1e-7, atol=1e-7)
        assert all(np.diff(solution.objective) <= 1e-12 * solution.objective[0])
        assert solution.objective[-1] <= slowly(E, Z, alpha, beta, 200) * (1 + 1e-10)
        loose = solve(E, Z, alpha, beta, tol=1e-3)
        assert solution.objective[-1] >= (1 - loose.gaps[-1]) * loose.objective[-1]


@pytest.mark.parametrize("scale", [1e-6, 1e-3, 1e3, 1e6])
@pytest.mark.parametrize("kind", KINDS)
def test_scale_of_the_features_only_rescales_alpha(kind, scale):
    E, Z = problem(kind, 20, 60, 4)
    there, here = solve(scale * E, Z, alpha=0.1 * scale), solve(E, Z)
    assert there.converged
    assert there.objective[-1] == pytest.approx(here.objective[-1], rel=1e-9)


@pytest.mark.parametrize(("alpha", "beta"), [(1e4, 1e4), (1e-5, 1e4), (1e4, 1e-5), (1e-5, 1e-5)])
def test_extreme_weights_are_certified(alpha, beta):
    E, Z = problem("relu", 20, 100, 4)
    solution = solve(E, Z, alpha, beta, tol=1e-6)
    assert solution.converged
    if alpha == 1e4:  # W = 0
        nothing = float(huber(row_norms(Z), beta).sum())
        assert nothing * (1 - 1e-6) <= solution.objective[-1] <= nothing * (1 + 1e-6)


def test_weights_beyond_single_precision_start_in_double_precision():
    E, Z = problem("gauss", 12, 40, 3)
    scale = 1e40  # infinite in single precision
    columns, targets, t = E.T.astype("f4"), Z.T.astype("f4"), np.full(52, 1e-20, "f4")
    with np.errstate(all="ignore"):
        assert not np.isfinite(sorted_weights(np.float32(scale) * columns, targets, t, 0.1, 0.1)).all()
    there, here = solve(scale * E, Z, alpha=0.1 * scale), solve(E, Z)
    assert there.converged
    assert there.objective[-1] == pytest.approx(here.objective[-1], rel=1e-9)


@pytest.mark.parametrize("scale", [1e-8, 1.0, 100.0])
def test_any_start_leads_to_the_same_objective(scale):
    E, Z = problem("gauss", 30, 100, 5)
    start = scale * np.random.default_rng(0).standard_normal((100, 5))
    assert solve(E, Z, start=start).objective[-1] == pytest.approx(solve(E, Z).objective[-1], rel=1e-9)
    zero = np.zeros_like(start)
    assert solve(E, Z, start=zero).objective[-1] == pytest.approx(solve(E, Z).objective[-1], rel=1e-9)


def test_one_iteration_is_certified_too():
    E, Z = problem("relu", 30, 100, 5)
    solution = solve(E, Z, tol=1e-12, max_iter=1)
    assert not solution.converged
    assert len(solution.objective) == len(solution.gaps) == 1
    best = solve(E, Z).objective[-1]
    assert (1 - solution.gaps[0]) * solution.objective[0] <= best <= solution.objective[0]


def test_single_precision_that_does_not_suffice_is_solved_in_double_precision():
    E, Z = problem("relu", 30, 100, 5)
    there = solve(E.astype(np.float32), Z.astype(np.float32), tol=1e-9)
    assert there.converged
    assert there.coef.dtype == there.misfit.dtype == np.float32
    assert there.objective[-1] == pytest.approx(solve(E, Z).objective[-1], rel=1e-5)


@pytest.mark.parametrize("scale", [1.0, 4.0, 10.0])
def test_w_alone_certifies_the_gap_that_was_asked_for(scale):
    E, Z = problem("relu", 90, 500, 10, scale=scale)
    W = solve(E, Z, tol=1e-3).coef
    assert duality_gap(E, Z, W, 0.1, 0.1)[1] <= 1.2e-3
