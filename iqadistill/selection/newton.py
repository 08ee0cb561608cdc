r"""One inexact Newton step on the weights of certified residual selection, for a batch of images.

In the notation of `iqadistill.selection.irls`, J has the gradient lambda_j^2 / 4 - ||g_j||^2 and the Hessian
2 (E'^T A^-1 E') * (G G^T), entrywise. With A = L L^T and v_j = L^-1 e_j a product with it needs no Hessian,

    (H x)_j = 2 g_j^T (sum_k x_k g_k v_k^T) v_j,

only two products of an h-row matrix with an n x m one for m weights. So conjugate gradients, preconditioned by the
diagonal, find the minimum of the quadratic model as closely as the duality gap asks for; far from the solution a few of
them do. Weights must not be negative: those that would be are fixed at zero, those at zero whose gradient is negative
are freed, and conjugate gradients go on from there.
"""

from collections.abc import Callable

import torch

ROUNDS = 2  # minimisations to find which weights of a step are zero
FORCING = 0.2  # largest factor to which the preconditioned gradient is reduced
CG_STEPS = {torch.float32: 12, torch.float64: 100}  # largest number of conjugate gradients in one minimisation


def newton_weights(
    V: torch.Tensor,
    G: torch.Tensor,
    t: torch.Tensor,
    gradient: torch.Tensor,
    live: torch.Tensor,
    damping: torch.Tensor,
    gap: torch.Tensor,
) -> torch.Tensor:
    """Minimise the damped quadratic model of J around the weights `t` over non-negative weights.

    Args:
        V: Rows v_j (b, m, n).
        G: Columns g_j (b, h, m).
        t: Weights (b, m) from which the step starts.
        gradient: Gradient of J at `t` (b, m).
        live: 1 for weights and 0 for padding (b, m); weights and columns g_j of padding are zero.
        damping: Fraction of the Hessian's diagonal that is added to it (b, 1).
        gap: Relative duality gap (b, 1): its root is the factor to which the gradient is reduced, where below FORCING.

    Returns:
        Weights (b, m), zero where an entry is padding.
    """
    doubled = 2 * G
    diagonal = (doubled * G).sum(1) * V.square().sum(2)
    ridge = diagonal * damping + torch.finfo(t.dtype).tiny
    preconditioner = live / (diagonal + ridge)

    def hessian(x: torch.Tensor) -> torch.Tensor:
        return torch.addcmul((((x[:, None] * G) @ V @ V.mT) * doubled).sum(1), ridge, x)

    goal = gap.clamp(max=FORCING**2)
    x, slope, free = t.clone(), gradient * live, live
    for remaining in reversed(range(ROUNDS)):
        _conjugate_gradients(hessian, preconditioner * free, x, slope, goal, CG_STEPS[t.dtype])
        updated = live * torch.where(free > 0, x > 0, slope < 0)
        if not remaining or torch.equal(updated, free):
            break
        free = updated
        x = x.clamp(min=0) * free
        slope = gradient * live + hessian(x - t)
    return x.clamp(min=0) * live


def _conjugate_gradients(
    hessian: Callable[[torch.Tensor], torch.Tensor],
    preconditioner: torch.Tensor,
    x: torch.Tensor,
    slope: torch.Tensor,
    goal: torch.Tensor,
    steps: int,
) -> None:
    """Reduce the energy <slope, preconditioner * slope> to `goal` (b, 1) times its value; updates x and slope in place.

    Entries whose preconditioner is zero keep their x, and their slope follows the others.
    """
    descent = preconditioner * slope
    energy = (descent * slope).sum(1, keepdim=True)
    goal = goal * energy
    direction = -descent
    for _ in range(steps):
        ahead = energy > goal
        if not ahead.any():
            break
        change = hessian(direction)
        length = torch.where(ahead, energy / (direction * change).sum(1, keepdim=True), 0)
        x.addcmul_(length, direction)
        slope.addcmul_(length, change)
        descent = preconditioner * slope
        reached = (descent * slope).sum(1, keepdim=True)
        direction.mul_(torch.where(ahead, reached / energy, 0)).sub_(descent)
        energy = torch.where(ahead, reached, energy)
