"""The published alternating solver (arXiv 2412.12667, Eq. 9 and 11) in n x n systems."""

import numpy as np

from iqadistill.selection.cholesky import Cholesky, weighted_gram
from iqadistill.selection.objective import Solution, column_norms, soft_threshold

EPS = 1e-8  # added to 2 ||w_j|| and 2 ||r_i|| in the weights
RIDGE = 1e-6  # added to both diagonals


def solve_published(
    E: np.ndarray,
    Z: np.ndarray,
    alpha: float,
    beta: float,
    max_iter: int,
    tol: float,
    start: np.ndarray | None = None,
) -> Solution:
    """Alternate W (Eq. 9), R (Eq. 11) and the weights until |change of Phi| <= tol max(1, |Phi|) or `max_iter`.

    Eq. 9 needs a d x d inverse. With D = alpha D_W + rho I the same W is D^-1 E^T Y with
    Y = (I_n + E D^-1 E^T)^-1 (R^T + Z), and E W = R^T + Z - Y costs nothing more: one weighted Gram matrix and one
    n x n Cholesky factor per iteration. Matrices of h columns are held as rows, as in `iqadistill.selection.irls`.

    Args:
        E: Embeddings (n, d).
        Z: Target (n, h).
        alpha: Weight of the row norms of W.
        beta: Weight of the row norms of R^T.
        max_iter: Largest number of iterations; 50 in the paper.
        tol: Stopping tolerance; 1e-6 in the paper.
        start: W (d, h) that gives the first weights and R; default: the published start R = 0, D_W = D_R = I.
    """
    (n, d), targets = E.shape, np.ascontiguousarray(Z.T)
    ones, R = np.ones(n, E.dtype), np.zeros_like(targets)
    weights_w, weights_r = np.ones(d, E.dtype), ones
    if start is not None:
        R = soft_threshold(E @ start - Z, beta).T
        weights_w, weights_r = _weights(column_norms(start.T)), _weights(column_norms(R))
    objective: list[float] = []
    converged = False
    while not converged and len(objective) < max_iter:
        inverse = 1 / (alpha * weights_w + RIDGE)
        Y = Cholesky(weighted_gram(E, inverse), ones).solve(R + targets)
        W = inverse * (Y @ E)
        P = R - Y  # (E W - Z)^T
        R = P / (1 + beta * weights_r + RIDGE)
        w, r = column_norms(W), column_norms(R)
        value = float(np.square(P - R).sum() + alpha * w.sum() + beta * r.sum())
        converged = bool(objective) and abs(value - objective[-1]) <= tol * max(1.0, abs(value))
        objective.append(value)
        weights_w, weights_r = _weights(w), _weights(r)
    return Solution(W.T, R.T, E @ W.T - Z, objective, [], converged)


def _weights(lengths: np.ndarray) -> np.ndarray:
    return 1 / (2 * lengths + EPS)
