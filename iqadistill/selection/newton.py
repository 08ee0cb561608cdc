r"""One inexact Newton step on the weights of certified residual selection.

In the notation of `iqadistill.selection.irls`, J has the gradient lambda_j^2 / 4 - ||g_j||^2 and the Hessian
H = 2 (E'^T A^-1 E') * (G G^T), entrywise. A product with it needs no Hessian,

    (H x)_j = 2 g_j^T (sum_k x_k g_k e_k^T) A^-1 e_j,

only two products of an h-row matrix with an n x m one for m weights.

The step solves 1 / ||g_j|| = 2 / lambda_j instead of ||g_j||^2 = lambda_j^2 / 4, which has the same solution: as a
function of its own weight, ||g_j|| = c / (a + b t_j), so the reciprocal is linear and Newton's method exact (the
secular equation of trust regions, More and Sorensen 1983). With r_j = 2 ||g_j|| / lambda_j this changes the right side
only, from lambda_j^2 / 4 (r_j^2 - 1) to lambda_j^2 / 4 2 r_j^2 (r_j - 1).

Conjugate gradients, preconditioned by the diagonal, solve the system as closely as the duality gap asks for; far from
the solution a few of them do. Weights must not be negative: those that would be are fixed at zero, those at zero whose
slope is negative are freed, and conjugate gradients go on from there.
"""

from collections.abc import Callable

import numpy as np

ROUNDS = 2  # minimisations to find which weights of a step are zero
FORCING = 0.2  # largest factor to which the preconditioned gradient is reduced
CG_STEPS = {np.dtype(np.float32): 12, np.dtype(np.float64): 100}  # largest number of steps in one minimisation


def newton_weights(
    rows: np.ndarray,
    G: np.ndarray,
    t: np.ndarray,
    excess: np.ndarray,
    penalties: np.ndarray,
    inverse: np.ndarray,
    damping: float,
    gap: float,
) -> np.ndarray:
    """Weights after a damped step, non-negative.

    Args:
        rows: Rows e_j of the design (m, n).
        G: Columns g_j (h, m).
        t: Weights (m,) from which the step starts.
        excess: r_j^2 (m,).
        penalties: lambda_j^2 / 4 (m,).
        inverse: A^-1 (n, n).
        damping: Fraction of the Hessian's diagonal that is added to it.
        gap: Relative duality gap: its root is the factor to which the gradient is reduced, where below FORCING.

    Returns:
        Weights (m,).
    """
    doubled, columns = 2 * G, np.ascontiguousarray(rows.T)
    diagonal = np.einsum("ij,ij->j", doubled, G) * _quadratic_forms(columns, t, inverse)
    ridge = diagonal * damping + np.finfo(t.dtype).tiny
    preconditioner = 1 / (diagonal + ridge)

    def hessian(x: np.ndarray) -> np.ndarray:
        return np.einsum("ij,ij->j", (x * G) @ rows @ inverse @ columns, doubled) + ridge * x

    goal = min(gap, FORCING**2)
    gradient = 2 * penalties * excess * (1 - np.sqrt(excess))
    x, slope, free = t.copy(), gradient.copy(), np.ones(len(t), dtype=bool)
    for remaining in reversed(range(ROUNDS)):
        _conjugate_gradients(hessian, preconditioner * free, x, slope, goal, CG_STEPS[t.dtype])
        updated = np.where(free, x > 0, slope < 0)
        if not remaining or (updated == free).all():
            break
        free = updated
        x = np.maximum(x, 0) * free
        slope = gradient + hessian(x - t)
    return np.maximum(x, 0)


def _quadratic_forms(columns: np.ndarray, t: np.ndarray, inverse: np.ndarray) -> np.ndarray:
    """About e_j^T A^-1 e_j (m,), close enough for a preconditioner, from columns e_j (n, m) and their weights.

    The exact values cost as much as all else. As a function of its weight each is s_j / (1 + t_j s_j); here s_j is
    ||e_j||^2 times the one factor for which the sum of t_j e_j^T A^-1 e_j is what the trace of A^-1 says.
    """
    squares = np.einsum("ij,ij->j", columns, columns)
    weighted, factor = t * squares, 1.0
    total = min(len(inverse) - float(np.trace(inverse)), 0.9 * np.count_nonzero(weighted))
    for _ in range(20):
        shrunk = weighted / (1 + factor * weighted)
        miss = factor * float(shrunk.sum()) - total
        if abs(miss) <= 0.05 * total:
            break
        factor = max(factor - miss / float((shrunk / (1 + factor * weighted)).sum()), factor / 5)
    return factor * squares / (1 + factor * weighted)


def _conjugate_gradients(
    hessian: Callable[[np.ndarray], np.ndarray],
    preconditioner: np.ndarray,
    x: np.ndarray,
    slope: np.ndarray,
    goal: float,
    steps: int,
) -> None:
    """Reduce the energy <slope, preconditioner * slope> to `goal` times its value; updates x and slope in place.

    Entries whose preconditioner is zero keep their x, and their slope follows the others.
    """
    descent = preconditioner * slope
    energy = descent @ slope
    goal = goal * energy
    direction = -descent
    for _ in range(steps):
        if not energy > goal:
            break
        change = hessian(direction)
        length = energy / (direction @ change)
        x += length * direction
        slope += length * change
        descent = preconditioner * slope
        reached = descent @ slope
        direction *= reached / energy
        direction -= descent
        energy = reached
