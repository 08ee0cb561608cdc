r"""The first weights of certified residual selection: a few re-weightings that sort out which rows of W matter.

In the notation of `iqadistill.selection.irls`, with the ratios r_j = 2 ||g_j|| / lambda_j:

1. One factor brings all weights of features to the right size. While A ~ E' diag(t) E'^T the ratios fall as the weights
   grow, so the factor is the root of the mean of r_j^2, weighted by t_j.
2. Powers r_j^p sort the rows faster than the ratios themselves. The sum of the weights is kept to that of the plain
   step t_j r_j, as a common factor answers in full and must not be over-relaxed.
3. After the first step only the rows of largest weight are kept, a few for each patch: the Newton steps that follow
   look at all rows and bring back those that were left out by mistake.

None of these weights is certified, so single precision does.
"""

import torch

from iqadistill.selection.objective import column_norms, rows_of, weighted_gram

STEPS = 4
POWER = 2.0
ROWS_PER_PATCH, MORE_ROWS = 4, 100  # rows of W that are kept after the first step


def sorted_weights(
    columns: torch.Tensor, targets: torch.Tensor, t: torch.Tensor, alpha: float, beta: float
) -> torch.Tensor:
    """Weights after a few re-weightings, zero for rows of W that are left out.

    Args:
        columns: E^T of each image (b, d, n).
        targets: Z^T of each image (b, h, n).
        t: Weights (b, d + n) to start from.
        alpha: Weight of the row norms of W.
        beta: Weight of the row norms of R^T.

    Returns:
        Weights (b, d + n); not finite where the precision of the arguments does not suffice.
    """
    d, n = columns.shape[1:]
    t_w, t_r = t[:, :d], t[:, d:]
    rows, chosen = columns, None
    for step in range(STEPS):
        system = weighted_gram(rows, t_w)
        Y = _solve(system, t_r, targets)
        ratio = 2 / alpha * column_norms(Y @ rows.mT)
        if step == 0:
            factor = ((t_w * ratio.square()).sum(1, keepdim=True) / t_w.sum(1, keepdim=True)).sqrt()
            t_w = t_w * factor
            Y = _solve(system * factor[..., None], t_r, targets)
            ratio = 2 / alpha * column_norms(Y @ rows.mT)
        powered = t_w * ratio**POWER
        t_w = powered * ((t_w * ratio).sum(1, keepdim=True) / powered.sum(1, keepdim=True))
        t_r = reweighted_patches(t_r, Y, beta)
        kept = ROWS_PER_PATCH * n + MORE_ROWS
        if step == 0 and kept < d:
            t_w, chosen = t_w.topk(kept, sorted=False)
            rows = rows_of(columns, chosen)
    if chosen is not None:
        t_w = torch.zeros_like(t[:, :d]).scatter_(1, chosen, t_w)
    return torch.cat([t_w, t_r], 1)


def reweighted_patches(t_r: torch.Tensor, Y: torch.Tensor, beta: float) -> torch.Tensor:
    """Weights of the patches (b, n) after a re-weighting with R eliminated, from Y (b, h, n)."""
    return ((1 + t_r) * (2 / beta * column_norms(Y)) - 1).clamp(min=0)


def _solve(system: torch.Tensor, t_r: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
    factor, _ = torch.linalg.cholesky_ex(system + torch.diag_embed(1 + t_r))
    return torch.cholesky_solve(targets.mT, factor).mT.contiguous()
