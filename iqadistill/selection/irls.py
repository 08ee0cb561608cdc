r"""Certified re-weighted least squares for residual selection.

Re-weighting replaces each norm by its quadratic bound, lambda ||w|| = min over t >= 0 of ||w||^2 / t + lambda^2 t / 4.
The residuals join as n further rows of W: with the design E' = [E, -I] and lambda = alpha for the d features, beta for
the n patches, the best W for given weights is w_j = t_j g_j (up to sign), where

    A = I + E' diag(t) E'^T,   Y = A^-1 Z,   G = E'^T Y,   J(t) = <Y, Z> + sum_j lambda_j^2 t_j / 4,

so only n x n systems occur. J is convex with the minimum of Phi and the gradient lambda_j^2 / 4 - ||g_j||^2. A
re-weighting step is t_j <- t_j 2 ||g_j|| / lambda_j (with R eliminated exactly, 1 + t_i <- max(1, (1 + t_i) 2 ||y_i|| /
beta)): it never increases J but needs hundreds of steps for the last digits.

So a few re-weightings sort out which rows matter (`iqadistill.selection.reweighting`); from then on Levenberg-Marquardt
steps on the weights of the rows that are not about to vanish converge quadratically (`iqadistill.selection.newton`).
Each iteration looks at all rows of E, and one that was left out comes back when its 2 ||g_j|| exceeds lambda_j. A step
that raises J is undone: the image goes back to a re-weighting of the last good weights, and its damping grows. -2 Y
scaled into the feasible set is dual feasible, which certifies every iterate at no further product with E.

Every iterate is solved and certified in the precision of E. Single precision, twice as fast, serves where an error
costs no more than a step: for the first weights, and for the Newton steps until the gap is small. Where it stalls,
double precision takes over. Inside, the h columns of Z, Y and G are rows, (b, h, n): their products with E then take a
quarter of the time.
"""

import torch

from iqadistill.selection.newton import newton_weights
from iqadistill.selection.objective import (
    Solution,
    column_norms,
    huber,
    primal,
    relative_gap,
    row_norms,
    rows_of,
    soft_threshold,
    weighted_gram,
)
from iqadistill.selection.reweighting import reweighted_patches, sorted_weights

KEEP_RATIO = 0.8  # a row whose 2 ||g|| / lambda is lower is about to vanish and is left out
DAMPING_START, DAMPING_FLOOR, SINGLE_FLOOR = 0.3, 1e-6, 1e-4  # relative to the Hessian's diagonal
DAMPING_GROWTH, DAMPING_DECAY = 30.0, 0.1
SINGLE_GAP = 1e-6  # gap down to which Newton steps are taken in single precision,
SINGLE_PATIENCE = 3  # unless as many iterations did not reduce it
PATIENCE = 30  # iterations that may pass while the gap shrinks by less than a thousandth
LEAP = 3.0  # ratio from which a re-weighting grows a weight faster than a Newton step
ROUNDING = 1e-11  # relative difference of Phi and of what the system says about it that is put down to rounding
START_FLOOR = 1e-8  # a zero row of a given start keeps a weight it can grow from


def solve_irls(
    columns: torch.Tensor,
    Z: torch.Tensor,
    alpha: float,
    beta: float,
    max_iter: int,
    tol: float,
    start: torch.Tensor | None = None,
) -> list[Solution]:
    """Minimise Phi until its relative duality gap is at most `tol`.

    The best W of each image so far counts: the objectives never increase.

    Args:
        columns: E^T of each image (b, d, n). A padded patch is a zero column and a zero row of Z: it changes nothing.
        Z: Targets (b, n, h).
        alpha: Weight of the row norms of W.
        beta: Weight of the row norms of R^T.
        max_iter: Largest number of iterations; the re-weightings that give the first weights do not count.
        tol: Relative duality gap to reach.
        start: W (b, d, h) to re-weight from; default: equal weights of all rows of W.
    """
    solutions = [Solution(Z[i], Z[i]) for i in range(len(columns))]
    targets = Z.mT.contiguous()
    active = _ActiveImages(columns, targets, _first_weights(columns, Z, targets, alpha, beta, start), alpha, beta)
    for iteration in range(max_iter):
        active.evaluate()
        current = [solutions[i] for i in active.index.tolist()]
        for solution, phi, gap in zip(current, active.best[:, 0].tolist(), active.gap[:, 0].tolist(), strict=True):
            solution.objective.append(phi)
            solution.gaps.append(gap)
        finished = (active.gap <= tol)[:, 0] | (active.idle > PATIENCE)[:, 0] | (iteration == max_iter - 1)
        if finished.any():
            for i in finished.nonzero()[:, 0].tolist():
                active.describe(i, current[i])
                current[i].converged = current[i].gaps[-1] <= tol
            if finished.all():
                break
            active.keep(~finished)
        active.step()
    stalled = [i for i, one in enumerate(solutions) if not one.converged and len(one.gaps) < max_iter]
    if stalled and columns.dtype == torch.float32:
        double = (columns[stalled].double(), Z[stalled].double(), alpha, beta, max_iter, tol)
        again = solve_irls(*double, None if start is None else start[stalled].double())
        for i, one in zip(stalled, again, strict=True):
            one.coef, one.residual, one.misfit = one.coef.float(), one.residual.float(), one.misfit.float()
            solutions[i] = one
    return solutions


def _first_weights(
    columns: torch.Tensor,
    Z: torch.Tensor,
    targets: torch.Tensor,
    alpha: float,
    beta: float,
    start: torch.Tensor | None,
) -> torch.Tensor:
    """Weights (b, d + n) that are sorted out already, in single precision where that suffices."""
    batch, d, n = columns.shape
    if start is None:
        t = torch.cat([columns.new_full((batch, d), 1 / alpha), columns.new_zeros(batch, n)], 1)
    else:
        p = row_norms(columns.mT @ start - Z)
        t = torch.cat([(2 * row_norms(start) + START_FLOOR) / alpha, (2 * p / beta - 1).clamp(min=0)], 1)
    for dtype in (torch.float32, torch.float64):
        weights = sorted_weights(columns.to(dtype), targets.to(dtype), t.to(dtype), alpha, beta).to(t.dtype)
        if weights.isfinite().all():
            return weights
    return torch.where(weights.isfinite().all(1, keepdim=True), weights, t)


class _ActiveImages:
    """The images that are still being solved, as one batch.

    Attributes:
        t: Weights of the features and patches (b, d + n).
        Y, G: As in the equations, transposed (b, h, n) and (b, h, d), with the norms y (b, n) and g (b, d).
        best: Smallest Phi so far (b, 1), reached with the weights best_t and best_Y.
        dual: Largest dual value so far (b, 1).
        lowest: J of the last accepted weights (b, 1).
        fallback: Their re-weighting, to which a refused step returns.
        watermark: The gap when it last shrank by more than a thousandth (b, 1), and `idle` iterations since.
    """

    def __init__(self, columns: torch.Tensor, targets: torch.Tensor, t: torch.Tensor, alpha: float, beta: float):
        self.alpha, self.beta, self.d = alpha, beta, columns.shape[1]
        self.columns, self.targets = columns, targets
        self.index = torch.arange(len(columns), device=columns.device)
        self.t = self.fallback = self.best_t = t
        self.best_Y = targets
        self.dual = targets.new_full((len(columns), 1), -torch.inf)
        self.best = self.lowest = self.gap = self.watermark = -self.dual
        self.damping = torch.full_like(self.dual, DAMPING_START)
        self.idle = torch.zeros_like(self.dual, dtype=torch.int64)

    def keep(self, stay: torch.Tensor) -> None:
        """Go on with some of the images."""
        for name, value in vars(self).items():
            if isinstance(value, torch.Tensor):
                setattr(self, name, value[stay])

    def describe(self, i: int, solution: Solution) -> None:
        """Write W, R, E W - Z and the gap of this very W into the solution of the image at position `i`."""
        t_w = self.best_t[i, : self.d]
        index = t_w.nonzero()[:, 0]
        rows = self.columns[i].index_select(0, index)
        W = t_w[index] * (self.best_Y[i] @ rows.mT)
        solution.coef = W.new_zeros(self.d, len(W)).index_copy_(0, index, W.mT)
        solution.misfit = (W @ rows - self.targets[i]).mT
        solution.residual = soft_threshold(solution.misfit, self.beta)
        phi = primal(solution.misfit, W.mT, self.alpha, self.beta)
        if phi > self.best[i, 0] * (1 + ROUNDING):
            solution.gaps[-1] = float(relative_gap(phi, self.dual[i, 0]))
            solution.objective[:] = [max(value, float(phi)) for value in solution.objective]

    def evaluate(self) -> None:
        """Solve for the current weights; update the best W, the dual bound and whether the weights are accepted."""
        alpha, beta = self.alpha, self.beta
        t_w, t_r = self.t[:, : self.d], self.t[:, self.d :]
        index, live = _padded(t_w > 0)
        rows = rows_of(self.columns, index)
        system = weighted_gram(rows, t_w.gather(1, index) * live)
        system.diagonal(dim1=1, dim2=2).add_(1 + t_r)
        self.factor, _ = torch.linalg.cholesky_ex(system)
        self.Y = torch.cholesky_solve(self.targets.mT, self.factor).mT.contiguous()
        self.G = self.Y @ self.columns.mT
        self.g, self.y = column_norms(self.G), column_norms(self.Y)

        # E W - Z = -(1 + t_i) y_i and w_j = t_j g_j
        value = _sum(huber((1 + t_r) * self.y, beta)) + alpha * _sum(t_w * self.g)
        better = value < self.best
        self.best = torch.where(better, value, self.best)
        self.best_t = torch.where(better, self.t, self.best_t)
        self.best_Y = torch.where(better[..., None], self.Y, self.best_Y)

        # U = -2 s Y: the dual is 2 s <Y, Z> - s^2 ||Y||^2, for the largest useful s that keeps U feasible
        fit, energy = _sum((self.Y * self.targets).flatten(1)), _sum(self.Y.square().flatten(1))
        steepest = torch.maximum(self.g.amax(1, keepdim=True) / alpha, self.y.amax(1, keepdim=True) / beta)
        s = torch.minimum(0.5 / steepest, fit / energy.clamp(min=torch.finfo(fit.dtype).tiny))
        self.dual = torch.fmax(self.dual, s * (2 * fit - s * energy))

        self.gap = relative_gap(self.best, self.dual)
        shrank = self.gap < 0.999 * self.watermark
        self.watermark = torch.where(shrank, self.gap, self.watermark)
        self.idle = torch.where(shrank, 0, self.idle + 1)

        bound = fit + (alpha**2 * _sum(t_w) + beta**2 * _sum(t_r)) / 4
        self.accepted = bound <= self.lowest * (1 + 1e-12)
        # after a refusal the re-weighted point is accepted whatever its rounding
        self.lowest = torch.where(self.accepted, bound, torch.inf)

    def step(self) -> None:
        """Choose the next weights."""
        t_w, t_r = self.t[:, : self.d], self.t[:, self.d :]
        reweighted = torch.cat([t_w * (2 / self.alpha * self.g), reweighted_patches(t_r, self.Y, self.beta)], 1)
        retreat = self.fallback
        self.fallback = torch.where(self.accepted, reweighted, retreat)
        if self.accepted.any():
            found = self._newton(torch.float32 if self._single() else self.t.dtype)
            if not found.isfinite().all():
                found = self._newton(self.t.dtype)
            found = torch.where(found.isfinite().all(1, keepdim=True), found, reweighted)
            # from a weight far too small a Newton step grows by half only, a re-weighting by the ratio
            found = torch.where(reweighted > LEAP * self.t, torch.maximum(found, reweighted), found)
            self.t = torch.where(self.accepted, found, retreat)
        else:
            self.t = retreat
        softer, harder = (self.damping * DAMPING_DECAY).clamp(min=DAMPING_FLOOR), self.damping * DAMPING_GROWTH
        self.damping = torch.where(self.accepted, softer, harder)

    def _single(self) -> bool:
        """Whether single precision suffices for the next Newton step."""
        steady = self.idle.amax() < SINGLE_PATIENCE and self.damping.amax() <= DAMPING_GROWTH * DAMPING_START
        return bool(steady and self.gap.amin() > SINGLE_GAP)

    def _newton(self, dtype: torch.dtype) -> torch.Tensor:
        """Weights after a Newton step, which is found in `dtype`; rows left out get weight zero."""
        alpha, beta = self.alpha, self.beta
        t_w, t_r = self.t[:, : self.d], self.t[:, self.d :]
        wanted = 2 / alpha * self.g > torch.where(t_w > 0, KEEP_RATIO, 1.0)
        patches = (2 / beta * self.y > 1) | (t_r > 0)  # their re-weighting is exact already: only the model drops them
        G = self.G
        if patches.any():
            wanted, G = torch.cat([wanted, patches], 1), torch.cat([G, self.Y], 2)
        index, live = _padded(wanted)
        rows = self._design_rows(index) if wanted.shape[1] > self.d else rows_of(self.columns, index)
        rows, half, mask = rows.to(dtype), self.factor.mT.to(dtype), live.to(dtype)
        t = self.t.gather(1, index).to(dtype) * mask
        G = G.to(dtype).gather(2, index[:, None].expand(-1, G.shape[1], -1)) * mask[:, None]
        # the rows left out go to zero: that move shifts the gradient of the others
        leftover = (self.targets - self.Y).to(dtype) - (t[:, None] * G) @ rows
        V, leftover = (torch.linalg.solve_triangular(half, x, upper=True, left=False) for x in (rows, leftover))
        penalties = self.t.new_tensor([alpha**2 / 4, beta**2 / 4])
        gradient = penalties[(index >= self.d).long()].to(dtype) + (G * (2 * (leftover @ V.mT) - G)).sum(1)
        damping = self.damping.to(dtype).clamp(min=SINGLE_FLOOR if dtype == torch.float32 else DAMPING_FLOOR)
        t = newton_weights(V, G, t, gradient, mask, damping, self.gap.to(dtype))
        return torch.zeros_like(self.t).scatter_(1, index, t.to(self.t.dtype))

    def _design_rows(self, index: torch.Tensor) -> torch.Tensor:
        """Columns `index` of [E, I] as rows (b, m, n); the sign of I cancels everywhere."""
        rows = rows_of(self.columns, index.clamp(max=self.d - 1))
        unit = torch.nn.functional.one_hot((index - self.d).clamp(min=0), rows.shape[2]).to(rows.dtype)
        return torch.where((index >= self.d)[..., None], unit, rows)


def _sum(values: torch.Tensor) -> torch.Tensor:
    return values.sum(1, keepdim=True)


def _padded(mask: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Indices (b, m) of the true entries, padded to the largest count, and which of them are true."""
    if len(mask) == 1:
        index = mask.nonzero()[:, 1][None]
        return index, torch.ones_like(index, dtype=torch.bool)
    live, index = torch.sort(mask, dim=1, descending=True, stable=True)
    most = int(mask.sum(1).max())
    return index[:, :most], live[:, :most]
