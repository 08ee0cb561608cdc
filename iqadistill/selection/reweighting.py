r"""The first weights of certified residual selection: a few re-weightings that sort out which rows of W matter.

In the notation of `iqadistill.selection.irls`, with the ratios r_j = 2 ||g_j|| / lambda_j:

1. One factor brings all weights of features to the right size. While A ~ E' diag(t) E'^T the ratios fall as the weights
   grow, so the factor is the root of the mean of r_j^2, weighted by t_j. The weights of the patches in this step are
   those of Y without the factor: dividing Y by it is no faster, and slower on standardised features.
2. Powers r_j^p sort the rows faster than the ratios themselves. The sum of the weights is kept to that of the plain
   step t_j r_j, as a common factor answers in full and must not be over-relaxed.
3. After the first step only the rows of largest weight are kept, a few for each patch: the Newton steps that follow
   look at all rows and bring back those that were left out by mistake.

None of these weights is certified, so single precision does.
"""

import numpy as np

from iqadistill.selection.cholesky import Cholesky, weighted_gram
from iqadistill.selection.objective import column_norms

STEPS = 4
POWER = 2.0
ROWS_PER_PATCH, MORE_ROWS = 4, 100  # rows of W that are kept after the first step


def sorted_weights(columns: np.ndarray, targets: np.ndarray, t: np.ndarray, alpha: float, beta: float) -> np.ndarray:
    """Weights after a few re-weightings, zero for rows of W that are left out.

    Args:
        columns: E^T (d, n).
        targets: Z^T (h, n).
        t: Weights (d + n,) to start from.
        alpha: Weight of the row norms of W.
        beta: Weight of the row norms of R^T.

    Returns:
        Weights (d + n,); not finite where the precision of the arguments does not suffice.
    """
    d, n = columns.shape
    t_w, t_r = t[:d], t[d:]
    rows, chosen = columns, np.arange(d)
    for step in range(STEPS):
        gram = weighted_gram(rows.T, t_w)
        Y = Cholesky(gram, 1 + t_r).solve(targets)
        ratio = 2 / alpha * column_norms((rows @ Y.T).T)
        if step == 0:
            factor = np.sqrt(t_w @ ratio**2 / t_w.sum())
            t_w, ratio = t_w * factor, ratio / factor
        powered = t_w * ratio**POWER
        t_w = powered * (t_w @ ratio / powered.sum())
        t_r = reweighted_patches(t_r, Y, beta)
        kept = ROWS_PER_PATCH * n + MORE_ROWS
        if step == 0 and kept < d:
            chosen = np.sort(np.argpartition(t_w, d - kept)[d - kept :])
            t_w, rows = t_w[chosen], columns.take(chosen, 0)
    weights = np.zeros_like(t)
    weights[chosen], weights[d:] = t_w, t_r
    return weights


def reweighted_patches(t_r: np.ndarray, Y: np.ndarray, beta: float) -> np.ndarray:
    """Weights of the patches (n,) after a re-weighting with R eliminated, from Y (h, n)."""
    return np.maximum((1 + t_r) * (2 / beta * column_norms(Y)) - 1, 0)
