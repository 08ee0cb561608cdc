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

    Eq. 9 needs a d x d inverse. With D = alpha D_W + rho I the same W is D^-1 E^T Y with
    Y = (I_n + E D^-1 E^T)^-1 (R^T + Z), and E W = R^T + Z - Y costs nothing more: one weighted Gram matrix and one
    n x n Cholesky factor per iteration.

    Args:
        columns: E^T of each image (b, d, n). A padded patch is a zero column and a zero row of Z: it changes nothing.
        Z: Targets (b, n, h).
        alpha: Weight of the row norms of W.
        beta: Weight of the row norms of R^T.
        max_iter: Largest number of iterations; 50 in the paper.
        tol: Stopping tolerance; 1e-6 in the paper.
        start: W (b, d, h) that gives the first weights and R; default: the published start R = 0, D_W = D_R = I.
    """
    batch, d, n = columns.shape
    if start is None:
        weights_w, weights_r = columns.new_ones(batch, d), columns.new_ones(batch, n)
        R = torch.zeros_like(Z)
    else:
        R = soft_threshold(columns.mT @ start - Z, beta)
        weights_w, weights_r = _weights(start), _weights(R)
    solutions = [Solution(Z[i], Z[i]) for i in range(batch)]
    active = torch.arange(batch)
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
        converged = torch.zeros_like(value, dtype=torch.bool)
        if previous is not None:
            converged = (value - previous).abs() <= tol * value.abs().clamp(min=1)
        for image, phi in zip(active.tolist(), value.tolist(), strict=True):
            solutions[image].objective.append(phi)
        finished = converged if iteration < max_iter - 1 else torch.ones_like(converged)
        if finished.any():
            for i in finished.nonzero().flatten().tolist():
                solution = solutions[active[i]]
                solution.coef, solution.residual, solution.converged = W[i], R[i], bool(converged[i])
                solution.misfit = (W[i].mT.contiguous() @ columns[i] - Z[i].mT).mT
            stay = ~finished
            if not stay.any():
                break
            active, columns, Z, W, R, value = active[stay.cpu()], columns[stay], Z[stay], W[stay], R[stay], value[stay]
        previous, weights_w, weights_r = value, _weights(W), _weights(R)
    return solutions


def _weights(M: torch.Tensor) -> torch.Tensor:
    return 1 / (2 * row_norms(M) + EPS)
