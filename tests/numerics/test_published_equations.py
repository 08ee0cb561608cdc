"""The n x n solvers compared with a d x d NumPy implementation of the paper's equations, and with each other."""

import numpy as np
import pytest
from scipy.optimize import minimize

from iqadistill.selection import ResidualSelector
from iqadistill.selection.objective import duality_gap, primal, row_norms, soft_threshold

pytestmark = pytest.mark.filterwarnings("ignore:solver .* stopped before its tolerance")


def features(n=30, d=120, seed=0):
    """Non-negative, correlated rows, as pooled network features are."""
    rng = np.random.default_rng(seed)
    low_rank = rng.standard_normal((n, 5)) @ rng.standard_normal((5, d))
    return np.maximum(0, 0.5 + 0.4 * low_rank + 0.3 * rng.standard_normal((n, d)))


def reference_alternation(E, Z, alpha, beta, iterations):
    """Eq. 9 and Eq. 11 as printed: R = 0, D_W = D_R = I, then W, R, weights."""
    (n, d), eps, rho = E.shape, 1e-8, 1e-6
    D_W, D_R, R = np.eye(d), np.eye(n), np.zeros((Z.shape[1], n))
    objective = []
    for _ in range(iterations):
        W = np.linalg.inv(E.T @ E + alpha * D_W + rho * np.eye(d)) @ E.T @ (R.T + Z)
        R = (np.linalg.inv(np.eye(n) + beta * D_R + rho * np.eye(n)) @ (E @ W - Z)).T
        w, r = np.linalg.norm(W, axis=1), np.linalg.norm(R, axis=0)
        objective.append(np.linalg.norm(E @ W - Z - R.T) ** 2 + alpha * w.sum() + beta * r.sum())
        D_W, D_R = np.diag(1 / (2 * w + eps)), np.diag(1 / (2 * r + eps))
    return W, R, objective


@pytest.mark.parametrize("shape", [(30, 120), (25, 12)], ids=["fewer patches", "fewer features"])
@pytest.mark.parametrize(("alpha", "beta"), [(0.1, 0.1), (0.01, 0.5)])
def test_published_solver_follows_the_equations(shape, alpha, beta):
    E = features(*shape)
    fitted = ResidualSelector(n_components=4, alpha=alpha, beta=beta, solver="published", max_iter=50, tol=0).fit(E)
    W, R, objective = reference_alternation(E, fitted.target_, alpha, beta, 50)
    np.testing.assert_allclose(fitted.coef_, W, atol=1e-6)
    np.testing.assert_allclose(fitted.residuals_, np.linalg.norm(R, axis=0), atol=1e-6)
    np.testing.assert_allclose(fitted.objective_, objective, rtol=1e-6)


def test_published_solver_stops_at_its_tolerance():
    E = features()
    fitted = ResidualSelector(n_components=4, solver="published", max_iter=500, tol=1e-5).fit(E)
    _, _, objective = reference_alternation(E, fitted.target_, 0.1, 0.1, 500)
    change = np.abs(np.diff(objective)) <= 1e-5 * np.maximum(1, np.abs(objective[1:]))
    assert abs(fitted.n_iter_ - (2 + np.argmax(change))) <= 1  # rounding can decide whether the tolerance is met
    assert fitted.n_iter_ < 500


@pytest.mark.parametrize("beta", [0.1, 0.02], ids=["no residual", "many residuals"])
def test_solvers_reach_the_same_objective_from_any_start(beta):
    E = features()
    settings = {"n_components": 4, "beta": beta}
    published = {"solver": "published", "max_iter": 400, "tol": 0}
    ends = [
        ResidualSelector(**settings, **how).fit(E).objective_[-1]
        for how in (
            {},
            published,
            {"init": "random", "random_state": 1},
            {"init": np.zeros((120, 4))},
            {"init": "random", "random_state": 2, **published},
        )
    ]
    np.testing.assert_allclose(ends, ends[0], rtol=5e-4)  # irls stops at a certified gap of 1e-3
    tight = [ResidualSelector(**settings, tol=1e-7, init=init).fit(E).objective_[-1] for init in (None, "random")]
    np.testing.assert_allclose([*tight, ends[1], ends[4]], tight[0], rtol=1e-4)


def test_irls_agrees_with_bfgs():
    E = features(12, 9)
    fitted = ResidualSelector(n_components=2, tol=1e-9).fit(E)
    Z, shape = fitted.target_, (9, 2)

    def smoothed(w):  # the published eps keeps the norms differentiable
        P = E @ w.reshape(shape) - Z
        p = np.linalg.norm(P, axis=1)
        loss = np.where(p <= 0.05, p**2, 0.1 * p - 0.0025).sum()
        return loss + 0.1 * np.sqrt((w.reshape(shape) ** 2).sum(1) + 1e-14).sum()

    best = min(
        minimize(smoothed, start, method="BFGS").fun for start in (fitted.coef_.ravel() * 0.5, np.ones(18) * 0.1)
    )
    assert fitted.objective_[-1] == pytest.approx(best, rel=1e-4)
    assert fitted.objective_[-1] <= best * (1 + 1e-6)


def test_duality_gap_bounds_the_suboptimality():
    E = features()
    best = ResidualSelector(n_components=4, tol=1e-10)
    optimum = best.fit(E).objective_[-1]
    for iterations in (1, 3, 10, 40):
        W = ResidualSelector(n_components=4, solver="published", max_iter=iterations, tol=0).fit(E).coef_
        value, gap = duality_gap(E, best.target_, W, 0.1, 0.1)
        assert (value - optimum) / value <= gap
    loose = ResidualSelector(n_components=4, tol=1e-2).fit(E)
    for value, gap in zip(loose.objective_, loose.gaps_, strict=True):
        assert (value - optimum) / value <= gap + 1e-12


def test_eliminating_the_residual_gives_the_group_huber_loss():
    rng = np.random.default_rng(0)
    P, W = rng.standard_normal((20, 3)), rng.standard_normal((7, 3))
    R = soft_threshold(P, 1.5)
    phi = ((P - R) ** 2).sum() + 0.3 * row_norms(W).sum() + 1.5 * row_norms(R).sum()
    assert primal(P, W, 0.3, 1.5) == pytest.approx(phi)
    for _ in range(20):
        other = R + 0.1 * rng.standard_normal(P.shape)
        assert ((P - other) ** 2).sum() + 1.5 * row_norms(other).sum() > ((P - R) ** 2).sum() + 1.5 * row_norms(R).sum()
