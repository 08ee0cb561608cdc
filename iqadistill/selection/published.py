"""The published alternating solver (arXiv 2412.12667, Eq. 9 and 11) in n x n systems."""

import torch

from iqadistill.selection.objective import Solution, row_norms, soft_threshold, weighted_gram

EPS = 1e-8  # added to 2 ||w_j|| and 2 ||r_i|| in the weights
RIDGE = 1e-6  # added to both diagonals


def solve_published(
    columns: torch.Tensor,
    Z: torch.Tensor,
    alpha: float,
    beta: float,
    max_iter: int,
    tol: float,
    start: torch.Tensor | None = None,
) -> list[Solution]:
    """Alternate W (Eq. 9), R (Eq. 11) and the weights until |change of Phi| <= tol max(1, |Phi|) or `max_iter`.

    Eq. 9 asks for a d x d inverse. With D = alpha D_W + rho I the same W is D^-1 E^T Y, Y = (I_n + E D^-1 E^T)^-1 (R^T + Z),
    and E W = R^T + Z - Y costs nothing more: one weighted Gram matrix and one n x n Cholesky factor an iteration.

    Args:
        columns: E^T of each image (b, d, n). A padded patch is a zero column and a zero row of Z: it changes nothing.
        Z: Targets (b, n, h).
        alpha: Weight of the row norms of W.
        beta: Weight of the row norms of R^T.
        max_iter: Most iterations; the paper's 50.
        tol: Stopping tolerance; the paper's 1e-6.
        start: W (b, d, h) to take the first weights and R from; the published start is R = 0, D_W = D_R = I.
    """
    batch, d, n = columns.shape
    if start is None:
        weights_w, weights_r = columns.new_ones(batch, d), columns.new_ones(batch, n)
        R = torch.zeros_like(Z)
    else:
        R = soft_threshold(columns.mT @ start - Z, beta)
        weights_w, weights_r = _weights(start), _weights(R)
    solutions = [Solution(Z[i], Z[i]) for i in range(batch)]
    lanes = torch.arange(batch)
    previous = None
    for iteration in range(max_iter):
        inverse = 1 / (alpha * weights_w + RIDGE)
        system = weighted_gram(columns, inverse)
        system.diagonal(dim1=1, dim2=2).add_(1)
        Y = torch.cholesky_solve(R + Z, torch.linalg.cholesky(system))
        W = inverse[..., None] * (columns @ Y)
        P = R - Y  # E W - Z
        R = P / (1 + beta * weights_r + RIDGE)[..., None]
        value = (P - R).square().sum((1, 2)) + alpha * row_norms(W).sum(1) + beta * row_norms(R).sum(1)
        settled = torch.zeros_like(value, dtype=torch.bool)
        if previous is not None:
            settled = (value - previous).abs() <= tol * value.abs().clamp(min=1)
        for lane, phi in zip(lanes.tolist(), value.tolist(), strict=True):
            solutions[lane].objective.append(phi)
        leaving = settled if iteration < max_iter - 1 else torch.ones_like(settled)
        if leaving.any():
            for i in leaving.nonzero().flatten().tolist():
                solution = solutions[lanes[i]]
                solution.coef, solution.residual, solution.converged = W[i], R[i], bool(settled[i])
            stay = ~leaving
            if not stay.any():
                break
            lanes, columns, Z, W, R, value = lanes[stay.cpu()], columns[stay], Z[stay], W[stay], R[stay], value[stay]
        previous, weights_w, weights_r = value, _weights(W), _weights(R)
    return solutions


def _weights(M: torch.Tensor) -> torch.Tensor:
    return 1 / (2 * row_norms(M) + EPS)
