r"""Certified re-weighted least squares for residual selection.

Re-weighting replaces each norm by its quadratic bound, lambda ||w|| = min over t >= 0 of ||w||^2 / t + lambda^2 t / 4.
The residuals join as n further rows of W: with the design E' = [E, -I] and lambda = alpha for the d features, beta for
the n patches, the best W for given weights is w_j = t_j g_j (up to sign), where

    A = I + E' diag(t) E'^T,   Y = A^-1 Z,   G = E'^T Y,   J(t) = <Y, Z> + sum_j lambda_j^2 t_j / 4,

so only n x n systems occur. J is convex with the minimum of Phi, gradient lambda_j^2 / 4 - ||g_j||^2, and its Hessian
is 2 (E'^T A^-1 E') * (G G^T), entrywise. A re-weighting step is t_j <- t_j 2 ||g_j|| / lambda_j (with R eliminated
exactly, 1 + t_i <- max(1, (1 + t_i) 2 ||y_i|| / beta)): it never increases J but needs hundreds of steps for the last
digits.

So a few re-weightings sort out which rows matter; from then on Levenberg-Marquardt steps on the weights of the rows
that are not about to vanish converge quadratically. A step that raises J is undone: the image goes back, re-weights
once, and its damping grows. -2 Y scaled into the feasible set is dual feasible, which certifies every iterate at no
further product with E.
"""

import torch

from iqadistill.selection.objective import (
    Solution,
    huber,
    relative_gap,
    row_norms,
    soft_threshold,
    weighted_gram,
)

REWEIGHTINGS = 10  # plain steps before the first Newton step: they are cheap and thin out the weights it must handle
OVER_RELAXATION = 1.5  # exponent of those steps; below 2 the fixed point stays attractive
KEEP_RATIO = 0.85  # a row whose 2 ||g|| / lambda is lower is about to vanish and is left out
ACTIVE_SET_ROUNDS = 3  # linear solves to find which weights of a Newton step are zero
DAMPING_START, DAMPING_FLOOR = 0.1, 1e-4  # relative to the Hessian's diagonal
DAMPING_GROWTH, DAMPING_DECAY = 30.0, 0.1
PATIENCE = 30  # iterations that may pass while the gap shrinks by less than a thousandth
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
        max_iter: Largest number of iterations.
        tol: Relative duality gap to reach.
        start: W (b, d, h) that gives the first weights; default: equal weights of all rows of W.
    """
    batch = len(columns)
    active = _ActiveImages(columns, Z, alpha, beta, start)
    solutions = [Solution(Z[i], Z[i]) for i in range(batch)]
    for iteration in range(max_iter):
        active.evaluate(warm=iteration <= REWEIGHTINGS)
        gap = active.gap
        for image, phi, certificate in zip(active.index.tolist(), active.best.tolist(), gap.tolist(), strict=True):
            solutions[image].objective.append(phi)
            solutions[image].gaps.append(certificate)
        certified = gap <= tol
        finished = certified | (active.idle > PATIENCE)
        if iteration == max_iter - 1:
            finished = torch.ones_like(finished)
        if finished.any():
            for i in finished.nonzero().flatten().tolist():
                solution = solutions[active.index[i]]
                P = active.columns[i].T @ active.coef[i] - active.Z[i]
                solution.coef, solution.residual = active.coef[i], soft_threshold(P, beta)
                solution.converged = bool(certified[i])
            if finished.all():
                break
            active.keep(~finished)
        active.step(warm=iteration < REWEIGHTINGS)
    return solutions


class _ActiveImages:
    """The images that are still being solved, as one batch."""

    def __init__(self, columns: torch.Tensor, Z: torch.Tensor, alpha: float, beta: float, start: torch.Tensor | None):
        batch, d, n = columns.shape
        self.alpha, self.beta, self.d = alpha, beta, d
        self.columns, self.Z = columns, Z
        self.penalty = torch.cat([columns.new_full((d,), alpha), columns.new_full((n,), beta)])
        if start is None:
            self.t = torch.cat([columns.new_full((batch, d), 1 / alpha), columns.new_zeros(batch, n)], 1)
        else:
            p = row_norms(columns.mT @ start - Z)
            self.t = torch.cat([(2 * row_norms(start) + START_FLOOR) / alpha, (2 * p / beta - 1).clamp(min=0)], 1)
        self.index = torch.arange(batch)
        self.best = Z.new_full((batch,), torch.inf)
        self.dual = Z.new_full((batch,), -torch.inf)
        self.coef = Z.new_zeros(batch, d, Z.shape[-1])
        self.lowest = self.best.clone()  # J of the last accepted weights
        self.fallback = self.t  # their re-weighting, to which a refused step returns
        self.damping = Z.new_full((batch,), DAMPING_START)
        self.gap = Z.new_full((batch,), torch.inf)
        self.idle = torch.zeros(batch, device=Z.device, dtype=torch.int64)
        self.watermark = self.gap.clone()  # the gap when it last shrank by more than a thousandth

    def keep(self, stay: torch.Tensor) -> None:
        for name, value in vars(self).items():
            if isinstance(value, torch.Tensor) and name != "penalty":
                setattr(self, name, value[stay.to(value.device)])

    def evaluate(self, warm: bool) -> None:
        """Solve for the current weights; update the best W, the dual bound and whether the weights are accepted."""
        t_w, t_r = self.t[:, : self.d], self.t[:, self.d :]
        index, live = _padded(t_w > 0)
        if index.shape[1] == self.d:
            system = weighted_gram(self.columns, t_w)
        else:
            system = weighted_gram(_rows(self.columns, index), t_w.gather(1, index) * live)
        system.diagonal(dim1=1, dim2=2).add_(1 + t_r)
        self.factor, _ = torch.linalg.cholesky_ex(system)
        self.Y = torch.cholesky_solve(self.Z, self.factor)
        self.G = torch.cat([self.columns @ self.Y, self.Y], 1)
        self.g = row_norms(self.G)

        # E W - Z = -(1 + t_i) y_i and w_j = t_j g_j
        value = huber((1 + t_r) * self.g[:, self.d :], self.beta).sum(1)
        value = value + self.alpha * (t_w * self.g[:, : self.d]).sum(1)
        better = value < self.best
        self.best = torch.where(better, value, self.best)
        self.coef = torch.where(better[:, None, None], t_w[..., None] * self.G[:, : self.d], self.coef)

        # U = -2 s Y: the dual is 2 s <Y, Z> - s^2 ||Y||^2, for the largest useful s that keeps U feasible
        fit, energy = (self.Y * self.Z).sum((1, 2)), self.Y.square().sum((1, 2))
        free = fit / energy.clamp(min=torch.finfo(fit.dtype).tiny)
        scale = torch.minimum((self.penalty / (2 * self.g)).amin(1), free)
        self.dual = torch.fmax(self.dual, 2 * scale * fit - scale.square() * energy)

        self.gap = relative_gap(self.best, self.dual)
        shrank = self.gap < 0.999 * self.watermark
        self.watermark = torch.where(shrank, self.gap, self.watermark)
        self.idle = torch.where(shrank, 0, self.idle + 1)

        bound = fit + (self.t * self.penalty.square()).sum(1) / 4
        self.accepted = bound <= self.lowest
        if warm:
            self.accepted = torch.ones_like(self.accepted)
        # after a refusal the re-weighted point is accepted whatever its rounding
        self.lowest = torch.where(self.accepted, bound, torch.inf)

    def step(self, warm: bool) -> None:
        """Choose the next weights."""
        reweighted = self._reweighted(OVER_RELAXATION if warm else 1.0)
        if warm:
            self.t = self.fallback = reweighted
            return
        refused = ~self.accepted
        fallback = self.fallback
        self.fallback = torch.where(refused[:, None], fallback, reweighted)
        if refused.all():
            self.t = fallback
        else:
            self.t = torch.where(refused[:, None], fallback, self._newton())
        self.damping = torch.where(
            refused, self.damping * DAMPING_GROWTH, (self.damping * DAMPING_DECAY).clamp(min=DAMPING_FLOOR)
        )

    def _reweighted(self, exponent: float) -> torch.Tensor:
        ratio = 2 * self.g / self.penalty
        t_w, t_r = self.t[:, : self.d], self.t[:, self.d :]
        return torch.cat([t_w * ratio[:, : self.d] ** exponent, ((1 + t_r) * ratio[:, self.d :] - 1).clamp(min=0)], 1)

    def _newton(self) -> torch.Tensor:
        """Minimise the damped quadratic model of J over non-negative weights; rows left out get weight zero."""
        ratio = 2 * self.g / self.penalty
        wanted = ratio > 1
        wanted |= (self.t > 0) & (ratio > KEEP_RATIO)
        wanted[:, self.d :] |= self.t[:, self.d :] > 0  # their re-weighting is exact already: only the model drops them
        index, live = _padded(wanted)
        t = self.t.gather(1, index) * live
        G = self.G.gather(1, index[..., None].expand(-1, -1, self.G.shape[-1])) * live[..., None]
        rows = self._design_rows(index)
        penalty = self.penalty[index]

        V = torch.linalg.solve_triangular(self.factor, rows.mT, upper=False)
        hessian = 2 * (V.mT @ V) * (G @ G.mT)
        # the rows left out go to zero: that move shifts the gradient of the others
        leftover = self.Z - self.Y - rows.mT @ (t[..., None] * G)
        shift = 2 * (G * (rows @ torch.cholesky_solve(leftover, self.factor))).sum(-1)
        slope = penalty.square() / 4 - G.square().sum(-1) + shift
        curvature = hessian.diagonal(dim1=1, dim2=2)
        curvature.mul_(1 + self.damping[:, None]).add_(torch.finfo(t.dtype).tiny)
        linear = slope - (hessian @ t[..., None]).squeeze(-1)

        filler = curvature.amax(1, keepdim=True)
        free = live
        for _ in range(ACTIVE_SET_ROUNDS):
            system = hessian * (free[:, :, None] & free[:, None, :])
            system.diagonal(dim1=1, dim2=2).add_(~free * filler)
            factor, _ = torch.linalg.cholesky_ex(system)
            x = torch.cholesky_solve((-linear * free)[..., None], factor).squeeze(-1) * free
            slack = (hessian @ x[..., None]).squeeze(-1) + linear
            updated = live & torch.where(free, x > 0, slack < 0)
            if torch.equal(updated, free):
                break
            free = updated
        return torch.zeros_like(self.t).scatter_(1, index, x.clamp(min=0) * live)

    def _design_rows(self, index: torch.Tensor) -> torch.Tensor:
        """Columns `index` of [E, I] as rows (b, m, n); the sign of I cancels everywhere."""
        n = self.columns.shape[-1]
        rows = _rows(self.columns, index.clamp(max=self.d - 1))
        patch = index - self.d
        unit = torch.nn.functional.one_hot(patch.clamp(min=0), n).to(rows.dtype)
        return torch.where((patch >= 0)[..., None], unit, rows)


def _padded(mask: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Indices (b, m) of the true entries, padded to the largest count, and which of them are true."""
    live, index = torch.sort(mask, dim=1, descending=True, stable=True)
    most = max(1, int(mask.sum(1).max()))
    return index[:, :most], live[:, :most]


def _rows(columns: torch.Tensor, index: torch.Tensor) -> torch.Tensor:
    """Rows `index` (b, m) of each matrix of a batch (b, d, n)."""
    offset = torch.arange(len(columns), device=columns.device)[:, None] * columns.shape[1]
    return columns.flatten(0, 1).index_select(0, (index + offset).flatten()).unflatten(0, index.shape)
