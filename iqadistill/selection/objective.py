r"""Objective of residual selection and its duality gap.

Phi(W, R) = ||E W - Z - R^T||_F^2 + alpha sum_j ||w_j|| + beta sum_i ||r_i||     (arXiv 2412.12667, Eq. 7)

is jointly convex. Given W the best R is a row-wise soft threshold of P = E W - Z, which leaves the group-Huber loss
sum_i H(||p_i||) + alpha sum_j ||w_j||, H(t) = t^2 up to beta / 2 and beta t - beta^2 / 4 beyond. Its Fenchel dual is
max -||U||_F^2 / 4 - <U, Z> subject to ||u_i|| <= beta and ||(E^T U)_j|| <= alpha.
Shapes: E (n, d), Z, P and U (n, h), W (d, h).
"""

from dataclasses import dataclass

import numpy as np


@dataclass
class Solution:
    """Solution for one image.

    Attributes:
        coef: W (d, h).
        residual: R^T (n, h).
        misfit: E W - Z (n, h).
        objective: Phi after each iteration.
        gaps: Relative duality gap after each iteration; empty where the solver does not evaluate it.
        converged: Whether the solver's own stopping rule was met.
    """

    coef: np.ndarray
    residual: np.ndarray
    misfit: np.ndarray
    objective: list[float]
    gaps: list[float]
    converged: bool


def row_norms(M: np.ndarray) -> np.ndarray:
    """Euclidean norms of the rows."""
    return np.sqrt(np.einsum("ij,ij->i", M, M))


def column_norms(M: np.ndarray) -> np.ndarray:
    """Euclidean norms of the columns."""
    return np.sqrt(np.einsum("ij,ij->j", M, M))


def huber(p: np.ndarray, beta: float) -> np.ndarray:
    """Group-Huber loss of row norms p: the terms of Phi of a row whose residual is eliminated."""
    return np.where(p <= beta / 2, p**2, beta * p - beta**2 / 4)


def huber_weights(p: np.ndarray, beta: float) -> np.ndarray:
    """Weights min(1, beta / (2 p)) of row norms p: H'(p) is 2 p times its weight."""
    return beta / (2 * np.maximum(p, beta / 2))


def soft_threshold(P: np.ndarray, beta: float) -> np.ndarray:
    """The R^T that minimises Phi given P = E W - Z: r_i = p_i max(0, 1 - beta / (2 ||p_i||))."""
    return P * (1 - huber_weights(row_norms(P), beta))[:, None]


def primal(P: np.ndarray, W: np.ndarray, alpha: float, beta: float) -> float:
    """Phi with R eliminated."""
    return float(huber(row_norms(P), beta).sum() + alpha * row_norms(W).sum())


def duality_gap(E: np.ndarray, Z: np.ndarray, W: np.ndarray, alpha: float, beta: float) -> tuple[float, float]:
    """Phi at W with R eliminated, and an upper bound on how far it is above its minimum, relative to Phi."""
    P = E @ W - Z
    value = primal(P, W, alpha, beta)
    U = 2 * P * huber_weights(row_norms(P), beta)[:, None]
    U *= alpha / max(float(row_norms(E.T @ U).max()), alpha)
    return value, relative_gap(value, -float(np.vdot(U, U)) / 4 - float(np.vdot(U, Z)))


def relative_gap(value: float, dual: float) -> float:
    """(primal - dual) / primal; zero where both vanish."""
    return max(value - dual, 0.0) / max(value, np.finfo(np.float64).tiny)


def certified(gap: float) -> str:
    """What a relative duality gap that is larger than it should be says of the objective, in words."""
    if round(gap, 2) < 1:
        return f"the objective is certified to a relative duality gap of {gap:.1e} only"
    return "nothing certifies the objective"
