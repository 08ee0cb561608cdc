r"""Objective of residual selection and its duality gap.

Phi(W, R) = ||E W - Z - R^T||_F^2 + alpha sum_j ||w_j|| + beta sum_i ||r_i||     (arXiv 2412.12667, Eq. 7)

is jointly convex. Given W the best R is a row-wise soft threshold of P = E W - Z, which leaves the group-Huber loss
sum_i H(||p_i||) + alpha sum_j ||w_j||, H(t) = t^2 up to beta / 2 and beta t - beta^2 / 4 beyond. Its Fenchel dual is
max -||U||_F^2 / 4 - <U, Z> subject to ||u_i|| <= beta and ||(E^T U)_j|| <= alpha.
All functions take batches: E (..., n, d), Z and P (..., n, h), W (..., d, h).
"""

from dataclasses import dataclass, field
from itertools import pairwise

import torch


@dataclass
class Solution:
    """Solution for one image.

    Attributes:
        coef: W (d, h).
        residual: R^T (n, h).
        misfit: E W - Z (n, h).
        objective: Phi after each iteration.
        gaps: Relative duality gap after each iteration, where the solver evaluates it.
        converged: Whether the solver's own stopping rule was met.
    """

    coef: torch.Tensor
    residual: torch.Tensor
    objective: list[float] = field(default_factory=list)
    gaps: list[float] = field(default_factory=list)
    converged: bool = False
    misfit: torch.Tensor = field(init=False)


def row_norms(M: torch.Tensor) -> torch.Tensor:
    """Euclidean norms of the rows."""
    return torch.linalg.vector_norm(M, dim=-1)


def soft_threshold(P: torch.Tensor, beta: float) -> torch.Tensor:
    """The R^T that minimises Phi given P = E W - Z: r_i = p_i max(0, 1 - beta / (2 ||p_i||))."""
    return P * (1 - beta / (2 * row_norms(P).clamp(min=beta / 2)))[..., None]


def huber(p: torch.Tensor, beta: float) -> torch.Tensor:
    """Group-Huber loss of row norms p: the terms of Phi of a row whose residual is eliminated."""
    return torch.where(p <= beta / 2, p.square(), beta * p - beta**2 / 4)


def primal(P: torch.Tensor, W: torch.Tensor, alpha: float, beta: float) -> torch.Tensor:
    """Phi with R eliminated."""
    return huber(row_norms(P), beta).sum(-1) + alpha * row_norms(W).sum(-1)


def duality_gap(
    E: torch.Tensor, Z: torch.Tensor, W: torch.Tensor, alpha: float, beta: float
) -> tuple[torch.Tensor, torch.Tensor]:
    """Phi at W with R eliminated, and an upper bound on how far it is above its minimum, relative to Phi."""
    P = E @ W - Z
    value = primal(P, W, alpha, beta)
    U = 2 * P * (beta / (2 * row_norms(P).clamp(min=beta / 2)))[..., None]
    steepest = row_norms(E.mT @ U).amax(-1).clamp(min=alpha)
    U = U * (alpha / steepest)[..., None, None]
    dual = -(U * U).sum((-2, -1)) / 4 - (U * Z).sum((-2, -1))
    return value, relative_gap(value, dual)


def relative_gap(value: torch.Tensor, dual: torch.Tensor) -> torch.Tensor:
    """(primal - dual) / primal; zero where both vanish."""
    return (value - dual).clamp(min=0) / value.clamp(min=torch.finfo(value.dtype).tiny)


def weighted_gram(columns: torch.Tensor, weights: torch.Tensor) -> torch.Tensor:
    """Lower triangle of E diag(weights) E^T from columns = E^T (..., m, n); the entries above it are undefined.

    Only three row blocks up to the diagonal are multiplied: two thirds of the work of the full product.
    """
    n = columns.shape[-1]
    weighted = columns * weights[..., None]
    product = columns.new_zeros(*columns.shape[:-2], n, n)
    edges = [round(i * n / 3) for i in range(4)]
    for low, high in pairwise(edges):
        product[..., low:high, :high] = weighted[..., low:high].mT @ columns[..., :high]
    return product
