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
that raises J is undone: the image goes back to a re-weighting of the last good weights, and its damping grows.

Systems are factorised in single precision, twice as fast, and Y is refined by residuals in double precision, down to
the gap where that stalls. W and its Phi, and -2 Y scaled into the feasible set of the dual, are computed in double
precision whatever the error of Y: they certify every iterate. Matrices of h columns are held as rows, (h, n) and
(h, d), and E as E^T (d, n): products with a part of E then take a quarter of the time.
"""

import numpy as np

from iqadistill.selection.cholesky import Cholesky, weighted_gram
from iqadistill.selection.newton import newton_weights
from iqadistill.selection.objective import Solution, column_norms, huber, soft_threshold
from iqadistill.selection.reweighting import reweighted_patches, sorted_weights

KEEP_RATIO = 0.7  # a row whose 2 ||g|| / lambda is lower is about to vanish and is left out
DAMPING_START, DAMPING_FLOOR, SINGLE_FLOOR = 0.3, 1e-6, 1e-4  # relative to the Hessian's diagonal
DAMPING_GROWTH, DAMPING_DECAY = 30.0, 0.1
SINGLE_GAP = 1e-6  # gap down to which systems are factorised in single precision,
SLOW_GAP, SLOW = 1e-2, 0.3  # or from this gap on, once a step leaves more than this part of it,
SINGLE_PATIENCE = 3  # or as many iterations did not reduce it
REFINEMENTS = 4  # largest number of corrections of Y
REFINED = 1e-4, 1e-12  # residual of Y relative to E W - Z that suffices, in single and in double precision
PATIENCE = 30  # iterations that may pass while the gap shrinks by less than a thousandth
SLACK = 1e-10  # relative increase of J that is put down to rounding
LEAP = 3.0  # ratio from which a re-weighting grows a weight faster than a Newton step
START_FLOOR = 1e-8  # a zero row of a given start keeps a weight it can grow from
TINY = np.finfo(np.float64).tiny
SINGLE: np.dtype = np.dtype(np.float32)
DOUBLE: np.dtype = np.dtype(np.float64)


def solve_irls(
    E: np.ndarray,
    Z: np.ndarray,
    alpha: float,
    beta: float,
    max_iter: int,
    tol: float,
    start: np.ndarray | None = None,
) -> Solution:
    """Minimise Phi until its relative duality gap is at most `tol`, in double precision.

    The best W so far counts: the objectives never increase.

    Args:
        E: Embeddings (n, d).
        Z: Target (n, h); the solution has its precision.
        alpha: Weight of the row norms of W.
        beta: Weight of the row norms of R^T.
        max_iter: Largest number of iterations; the re-weightings that give the first weights do not count.
        tol: Relative duality gap to reach.
        start: W (d, h) to re-weight from; default: equal weights of all rows of W.
    """
    image = _Image(E.astype(DOUBLE, copy=False), Z.astype(DOUBLE, copy=False), alpha, beta, start)
    objective, gaps = [], []
    for iteration in range(max_iter):
        image.evaluate()
        objective.append(image.best)
        gaps.append(image.gap)
        if image.gap <= tol or image.idle > PATIENCE or iteration == max_iter - 1:
            break
        image.step()
    W, P = image.solution()
    W, R, P = (x.astype(Z.dtype, copy=False) for x in (W, soft_threshold(P, beta), P))
    return Solution(W, R, P, objective, gaps, gaps[-1] <= tol)


def _transposed(E: np.ndarray) -> np.ndarray:
    """E^T (d, n), a few rows of E at a time: a whole row of a power of two long would evict itself from the cache."""
    columns = np.empty(E.shape[::-1], E.dtype)
    for first in range(0, len(E), 8):
        columns[:, first : first + 8] = E[first : first + 8].T
    return columns


class _Image:
    """The image that is being solved.

    Attributes:
        t: Weights of the features and patches (d + n,).
        Y, G, P: Y (h, n), G (h, d) and (E W - Z)^T (h, n), with the norms y (n,) and g (d,) of the first two.
        best: Smallest Phi so far, of W^T = best_W (h, m) in the columns best_rows, with (E W - Z)^T = best_P.
        dual: Largest dual value so far.
        lowest: J of the last accepted weights.
        fallback: Their re-weighting, to which a refused step returns.
        watermark: The gap when it last shrank by more than a thousandth, and `idle` iterations since.
        factors, steps: Precision in which A is factorised and in which Newton steps are found.
    """

    def __init__(self, E: np.ndarray, Z: np.ndarray, alpha: float, beta: float, start: np.ndarray | None):
        self.alpha, self.beta, self.d = alpha, beta, E.shape[1]
        self.columns, self.targets = _transposed(E), np.ascontiguousarray(Z.T)
        with np.errstate(over="ignore"):
            self.single = _transposed(E.astype(np.float32))
        self.factors = self.steps = SINGLE
        self.t = self.fallback = self._first_weights(start)
        self.dual, self.best, self.lowest, self.gap, self.watermark = -np.inf, np.inf, np.inf, np.inf, np.inf
        self.damping, self.idle = DAMPING_START, 0

    def _first_weights(self, start: np.ndarray | None) -> np.ndarray:
        """Weights that are sorted out already, in single precision where that suffices."""
        if start is None:
            t = np.concatenate([np.full(self.d, 1 / self.alpha), np.zeros(self.targets.shape[1])])
        else:
            p = column_norms(start.T @ self.columns - self.targets)
            t_w = (2 * column_norms(start.T) + START_FLOOR) / self.alpha
            t = np.concatenate([t_w, np.maximum(2 * p / self.beta - 1, 0)])
        for columns in (self.single, self.columns):
            dtype = columns.dtype
            with np.errstate(all="ignore"):
                weights = sorted_weights(columns, self.targets.astype(dtype), t.astype(dtype), self.alpha, self.beta)
            if np.isfinite(weights).all():
                return weights.astype(np.float64)
        return t

    def solution(self) -> tuple[np.ndarray, np.ndarray]:
        """W (d, h) and E W - Z (n, h)."""
        W = np.zeros((self.d, len(self.targets)))
        W[self.best_rows] = self.best_W.T
        return W, self.best_P.T

    def evaluate(self) -> None:
        """Solve for the current weights; update the best W, the dual bound and whether the weights are accepted."""
        alpha, beta = self.alpha, self.beta
        t_r = self.t[self.d :]
        index = self.t[: self.d].nonzero()[0]
        t_w, rows = self.t[index], self.columns.take(index, 0)
        with np.errstate(all="ignore"):
            G = self._solve(rows, index, t_w, t_r)
        self.G = self.Y @ self.columns.T
        self.g, self.y = column_norms(self.G), column_norms(self.Y)

        p = column_norms(self.P)
        value = float(huber(p, beta).sum()) + alpha * float(t_w @ column_norms(G))
        if value < self.best:
            self.best, self.best_rows, self.best_W, self.best_P = value, index, t_w * G, self.P

        # U = -2 s Y: the dual is 2 s <Y, Z> - s^2 ||Y||^2, for the largest useful s that keeps U feasible
        fit, energy = float(np.vdot(self.Y, self.targets)), float(np.vdot(self.Y, self.Y))
        steepest = max(self.g.max() / alpha, self.y.max() / beta, TINY)
        s = min(0.5 / steepest, fit / max(energy, TINY))
        self.dual = max(self.dual, s * (2 * fit - s * energy))

        self.previous, self.gap = self.gap, max(self.best - self.dual, 0.0) / max(self.best, TINY)
        if self.gap < 0.999 * self.watermark:
            self.watermark, self.idle = self.gap, 0
        else:
            self.idle += 1

        # J as the value of its quadratic at W: an error of Y enters squared
        bound = float(t_w @ np.einsum("ij,ij->j", G, G) + (p**2 / (1 + t_r)).sum())
        bound += (alpha**2 * float(t_w.sum()) + beta**2 * float(t_r.sum())) / 4
        self.accepted = bound <= self.lowest * (1 + SLACK)
        # after a refusal the re-weighted point is accepted whatever its rounding
        self.lowest = bound if self.accepted else np.inf

    def _solve(self, rows: np.ndarray, index: np.ndarray, t_w: np.ndarray, t_r: np.ndarray) -> np.ndarray:
        """Set the factor of A, Y and P for weights t_w of the rows `index` of E^T; returns their columns of G."""
        while True:
            double = self.factors == DOUBLE
            source = rows if double else self.single.take(index, 0)
            self.factor = Cholesky(weighted_gram(source.T, t_w.astype(self.factors)), (1 + t_r).astype(self.factors))
            self.Y, self.P, best = np.zeros_like(self.targets), -self.targets, np.zeros((len(self.targets), len(index)))
            correction, error = self.targets, np.inf
            for _ in range(REFINEMENTS):
                Y = self.Y + self.factor.solve(correction)
                G = Y @ rows.T
                P = (t_w * G) @ rows - self.targets  # (E W - Z)^T
                exact = -(1 + t_r) * Y
                correction = exact - P
                last, error = error, float(np.linalg.norm(correction))
                if not error < last:  # also where single precision overflows
                    break
                self.Y, self.P, best = Y, P, G
                if error <= REFINED[double] * float(np.linalg.norm(exact)):
                    return best
            if double:
                return best
            self.factors = DOUBLE

    def step(self) -> None:
        """Choose the next weights."""
        t_w, t_r = self.t[: self.d], self.t[self.d :]
        retreat = self.fallback
        if self.accepted:
            t_w, t_r = t_w * (2 / self.alpha * self.g), reweighted_patches(t_r, self.Y, self.beta)
            self.fallback = np.concatenate([t_w, t_r])
            slow = self.gap <= SLOW_GAP and self.gap > SLOW * self.previous
            if self.gap <= SINGLE_GAP or slow or self.idle >= SINGLE_PATIENCE:
                self.factors = self.steps = DOUBLE
            with np.errstate(all="ignore"):
                found = self._newton()
                if self.steps == SINGLE and not np.isfinite(found).all():
                    self.factors = self.steps = DOUBLE
                    found = self._newton()
            if not np.isfinite(found).all():
                found = self.fallback
            # from a weight far too small a Newton step grows by half only, a re-weighting by the ratio
            leaps = self.fallback > LEAP * self.t
            self.t = np.where(leaps, np.maximum(found, self.fallback), found)
            self.damping = max(self.damping * DAMPING_DECAY, DAMPING_FLOOR)
        else:
            self.t = retreat
            self.damping *= DAMPING_GROWTH

    def _newton(self) -> np.ndarray:
        """Weights after a Newton step; rows left out get weight zero."""
        alpha, beta, dtype = self.alpha, self.beta, self.steps
        t_w, t_r = self.t[: self.d], self.t[self.d :]
        kept = (2 / alpha * self.g > np.where(t_w > 0, KEEP_RATIO, 1)).nonzero()[0]
        # the re-weighting of a patch is exact already: only the model drops it
        patches = ((2 / beta * self.y > 1) | (t_r > 0)).nonzero()[0]
        rows = (self.columns if dtype == DOUBLE else self.single).take(kept, 0)
        G, index = self.G[:, kept], np.concatenate([kept, self.d + patches])
        if len(patches):  # columns of I; the sign of -I cancels everywhere
            unit = np.zeros((len(patches), rows.shape[1]), dtype)
            unit[np.arange(len(patches)), patches] = 1
            rows, G = np.concatenate([rows, unit]), np.concatenate([G, self.Y[:, patches]], 1)
        t, inverse = self.t[index], self.factor.inverse().astype(dtype)
        penalties = np.where(index < self.d, alpha**2 / 4, beta**2 / 4)
        # the rows left out go to zero: that move shifts the gradient of the others
        leftover = ((self.targets - self.Y).astype(dtype) - (t * G).astype(dtype) @ rows) @ inverse @ rows.T
        excess = np.maximum(np.einsum("ij,ij->j", G, G - 2 * leftover) / penalties, 0)
        damping = max(self.damping, SINGLE_FLOOR if dtype == SINGLE else DAMPING_FLOOR)
        G, t, excess, penalties = (x.astype(dtype) for x in (G, t, excess, penalties))
        found = np.zeros_like(self.t)
        found[index] = newton_weights(rows, G, t, excess, penalties, inverse, damping, self.gap)
        return found
