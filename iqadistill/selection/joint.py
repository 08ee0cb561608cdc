r"""Residual selection over all rows of a collection together, in memory that grows with n alone.

Up to 5,000 rows this is `ResidualSelector`. Of more rows the similarity is known by landmarks, and E is passed over in
blocks: the solver keeps sums of size d x d and d x h, and P = E W - Z. With the group-Huber loss H of
`iqadistill.selection.objective`, q_i = min(1, beta / (2 ||p_i||)) and Q = diag(q),

    sum_i H(||p_i + e_i D||) <= sum_i H(||p_i||) + <E^T U, D> + tr(D^T E^T Q E D),    U = 2 Q P,

so a step minimises the right side plus alpha sum_j ||w_j||. The weighted Gram matrix E^T Q E costs n d^2, several times
the rest of a pass. It is hardly wrong at the next W, so one made at a good start, the solution for a sample of rows,
serves for all steps; it is made anew where they no longer help.

A step has E^T U + 2 E^T Q E D = -alpha times subgradients of the row norms, so U' = U + 2 Q E D is dual feasible but
for ||u'_i|| <= beta, which a factor close to 1 mends: the next pass, which computes E D anyway, certifies its own W.
Products are float32 and their sums over blocks float64: they limit the certificate to about 1e-5.
"""

import warnings
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from scipy.linalg import blas, lapack

from iqadistill.embedding_blocks import EmbeddingBlocks, take_rows
from iqadistill.errors import InputError
from iqadistill.selection.cholesky import Cholesky, weighted_gram
from iqadistill.selection.landmarks import EXACT, landmark_target
from iqadistill.selection.objective import certified, huber, huber_weights, relative_gap, row_norms
from iqadistill.selection.residual import ResidualSelector
from iqadistill.selection.selectors.residual import ResidualSettings
from iqadistill.table_schemas import LARGEST_EMBEDDING

LANDMARKS = 1000  # rows that the similarity is known by where there are more
SAMPLE = 16  # rows for each feature on which a start is found
SAMPLE_STEPS, MAX_PASSES, INNER_STEPS = 15, 50, 50
TOLERANCE = 1e-3  # relative duality gap to reach
SLOW = 0.8  # share of the gap that may be left after a step before a new Gram matrix is made
TINY = 1e-300  # in place of a zero that is divided by
RIDGE = 1e-6  # relative to the diagonal; it makes steps smaller, and leaves where they end
VANISHED = 1e-9  # length of a row of W, relative to the longest, that counts as zero


@dataclass(frozen=True)
class JointSelection:
    """Ranking of all rows of a collection.

    Attributes:
        residuals: (n,) ||E W - Z|| of each row; larger for less relevant ones.
        ranking: (n,) indices of the rows, smallest residual first.
        coef: W (d, h).
        duality_gap: Relative duality gap that certifies W for this Z.
        passes: Passes over the embeddings that the solver took; 0 where all pairs were compared.
    """

    residuals: np.ndarray
    ranking: np.ndarray
    coef: np.ndarray
    duality_gap: float
    passes: int


def select_jointly(
    embeddings: EmbeddingBlocks,
    settings: ResidualSettings | None = None,
    *,
    landmarks: int = LANDMARKS,
    seed: int = 0,
) -> JointSelection:
    """Rank all rows of a collection by residual selection, as the patches of one image are.

    Args:
        embeddings: Embeddings (n, d).
        settings: Settings of residual selection; above 5,000 rows the metric is euclidean, the similarity rbf, the
            solver irls; default: those with the scale-free gamma.
        landmarks: Number of landmarks of more than 5,000 rows.
        seed: Seed of the landmarks and of the sample.

    Raises:
        InputError: An embedding is not finite or beyond 1e140, there are fewer rows than components, or a setting
            needs all pairs.
    """
    settings = settings or ResidualSettings(gamma="scale_free")
    n, h = embeddings.shape[0], settings.n_components
    if n <= EXACT:
        return _of_all_pairs(np.concatenate(list(embeddings.blocks())), settings)
    for key, needed in (("metric", "euclidean"), ("similarity", "rbf"), ("solver", "irls")):
        if (given := getattr(settings, key)) != needed:
            raise InputError(
                f"{key} {given}: compares all pairs of {n:,} rows; above {EXACT:,} rows only {key} {needed} is there."
            )
    Z, scaled = landmark_target(embeddings, h, gamma=settings.gamma, landmarks=landmarks, seed=seed)
    with np.errstate(over="ignore"):  # E / c with alpha / c has the solution c W, which is zero for alpha beyond 1e140
        alpha = min(np.ldexp(settings.alpha, -scaled.exponent), LARGEST_EMBEDDING["float64"])
    problem = _Problem(scaled, Z, alpha, settings.beta)
    tol = TOLERANCE if settings.tol is None else settings.tol
    gap, passes = problem.solve(_start(problem, seed), tol, settings.max_iter or MAX_PASSES)
    if gap > tol:
        warnings.warn(
            f"joint selection stopped before its tolerance {tol:g} after {passes} passes: {certified(gap)}; raise "
            "max_iter or tol.",
            stacklevel=2,
        )
    residuals = row_norms(problem.P).astype(np.float64)
    coef = np.ldexp(problem.W, -scaled.exponent)
    return JointSelection(residuals, np.argsort(residuals, kind="stable"), coef, gap, passes)


def _of_all_pairs(X: np.ndarray, settings: ResidualSettings) -> JointSelection:
    one = ResidualSelector(**settings.model_dump(exclude={"method"})).fit(X)
    return JointSelection(one.residuals_, one.ranking_, one.coef_, one.duality_gap_, 0)


class _Problem:
    """The embeddings, float32, their target, and what is known at the current W.

    Attributes:
        W: (d, h), float64.
        P: E W - Z (n, h), float32, of the last pass, or at the best W once solved.
        q: Weights (n, 1), float32, of the Gram matrix.
        gram: E^T Q E (d, d), float64.
        gradient: E^T U (d, h), float64, at W.
        value: Phi at W, R eliminated.
    """

    def __init__(self, embeddings: EmbeddingBlocks, Z: np.ndarray, alpha: float, beta: float):
        self.embeddings, self.Z, self.alpha, self.beta = embeddings, Z, alpha, beta
        self.d = embeddings.shape[1]
        self.P, self.q = np.empty_like(Z), np.ones((len(Z), 1), Z.dtype)
        self.gram = np.zeros((self.d, self.d))
        self.W = self.gradient = np.zeros((self.d, Z.shape[1]))
        self.value = np.inf  # before the first pass

    def solve(self, W: np.ndarray, tol: float, max_passes: int) -> tuple[float, int]:
        """Minimise Phi from W (d, h); returns the relative duality gap and the number of passes.

        A step may increase Phi where rounding or an old Gram matrix spoils it: the best W stays at the end.
        """
        self.evaluate(W, new_gram=True)
        best, best_dual, gap, slow = (self.value, self.W, self.P.copy()), -np.inf, np.inf, False
        passes = 1
        while passes < max_passes and gap > tol:
            value_before, gap_before = self.value, gap
            W = self.step()
            best_dual = max(best_dual, self.evaluate(W, new_gram=slow))
            if self.value < best[0]:
                best = self.value, self.W, self.P.copy()
            gap = relative_gap(best[0], best_dual)
            passes += 1
            slow = not slow and (gap > SLOW * gap_before or self.value > value_before)
        self.value, self.W, self.P = best
        return gap, passes

    def step(self) -> np.ndarray:
        """The W (d, h) that minimises the bound on Phi: re-weighted ridge regressions on sums alone."""
        gram = _definite(self.gram)
        return _group_lasso(gram, _product(gram, self.W) - self.gradient / 2, self.alpha, self.W)

    def evaluate(self, W: np.ndarray, *, new_gram: bool) -> float:
        """Pass over E at a new W; returns the dual value that certifies it, minus infinity on the first pass."""
        first = self.value == np.inf
        if not first:
            steepest = float(row_norms(self.gradient + 2 * _product(self.gram, W - self.W)).max())  # of E^T U'
        gram, gradient, W_single = np.zeros_like(self.gram, order="F"), np.zeros_like(W), W.astype(np.float32)
        value, energy, fit, longest = 0.0, 0.0, 0.0, 0.0
        for rows, E in self.blocks():
            Z, before = self.Z[rows], self.P[rows]
            P = _product(E, W_single) - Z
            if not first:
                U = 2 * (self.weights(before) * before + self.q[rows] * (P - before))
                lengths = row_norms(U).astype(np.float64)
                energy += float(lengths @ lengths)
                fit += float((U.astype(np.float64) * Z).sum())
                longest = max(longest, float(lengths.max()))
            weights = self.weights(P)
            gradient += _product(E, 2 * weights * P, transposed=True)
            value += float(huber(row_norms(P).astype(np.float64), self.beta).sum())
            self.P[rows] = P
            if new_gram:
                self.q[rows] = weights
                gram += weighted_gram(E.T, weights[:, 0])
        dual = -np.inf
        if not first:
            feasible = min(self.beta / max(longest, TINY), self.alpha / max(steepest, TINY))
            s = min(feasible, max(-2 * fit, 0.0) / max(energy, TINY))  # the dual of s U' is largest there
            dual = -(s**2) * energy / 4 - s * fit
        if new_gram:
            self.gram = _symmetric(gram)
        self.W, self.gradient = W, gradient
        self.value = value + self.alpha * float(row_norms(W).sum())
        return dual

    def blocks(self) -> Iterator[tuple[slice, np.ndarray]]:
        """Rows and their embeddings (r, d)."""
        start = 0
        for block in self.embeddings.blocks():
            yield slice(start, start + len(block)), block
            start += len(block)

    def weights(self, P: np.ndarray) -> np.ndarray:
        """q (r, 1) of the rows of P."""
        return huber_weights(row_norms(P), self.beta)[:, None]


def _start(problem: _Problem, seed: int) -> np.ndarray:
    """W (d, h) that solves the problem of a sample of rows, nearly."""
    n, d = problem.embeddings.shape
    drawn = np.sort(np.random.default_rng([seed, 1]).choice(n, min(SAMPLE * d, n), replace=False))
    E, Z = take_rows(problem.embeddings, drawn), problem.Z[drawn]
    alpha = problem.alpha * len(drawn) / n
    W, weights = None, np.ones((len(drawn), 1), np.float32)
    for _ in range(SAMPLE_STEPS):
        gram = _definite(_symmetric(weighted_gram(E.T, weights[:, 0]).astype(np.float64)))
        product = _product(E, weights * Z, transposed=True).astype(np.float64)
        W = _group_lasso(gram, product, alpha, W, steps=1)
        before, weights = weights, problem.weights(_product(E, W.astype(np.float32)) - Z)
        if np.abs(weights - before).mean() < 1e-3:
            break
    assert W is not None
    return W


def _product(A: np.ndarray, B: np.ndarray, *, transposed: bool = False) -> np.ndarray:
    """A B, or A^T B, by the BLAS of SciPy that factorises, too.

    NumPy brings a BLAS of its own, and while the threads of one wait for work they take the cores from the other.
    """
    gemm = blas.dgemm if A.dtype == np.float64 else blas.sgemm
    return gemm(1.0, np.ascontiguousarray(B).T, A.T, trans_b=transposed).T


def _symmetric(lower: np.ndarray) -> np.ndarray:
    """The matrix (d, d) whose lower triangle is given, with zeros above it."""
    return lower + np.tril(lower, -1).T


def _definite(gram: np.ndarray) -> np.ndarray:
    """A Gram matrix of float32 products plus as small a share of its diagonal as makes it positive definite."""
    squares = np.where(gram.diagonal() > 0, gram.diagonal(), 1)
    correlation = gram / np.sqrt(squares) / np.sqrt(squares)[:, None]
    ridge = RIDGE
    while ridge < 1 and lapack.dpotrf((correlation + ridge * np.eye(len(gram))).T, lower=1, overwrite_a=1)[1]:
        ridge *= 10
    return gram + np.diag(ridge * squares)


def _group_lasso(
    gram: np.ndarray, product: np.ndarray, alpha: float, start: np.ndarray | None, steps: int = INNER_STEPS
) -> np.ndarray:
    """W (d, h) that minimises tr(W^T G W) - 2 <B, W> + alpha sum_j ||w_j|| by re-weighting, G (d, d) and B (d, h)."""
    W = np.linalg.solve(gram, product) if start is None else start
    ones = np.ones(len(gram))
    for _ in range(steps):
        norms = row_norms(W)
        root = np.sqrt(2 / alpha * np.maximum(norms, VANISHED * max(norms.max(), TINY)))
        # (G + D^-1) W = B with D = root^2, scaled so that rows close to zero do not spoil the condition;
        # symmetric, so that its transpose lies in memory as LAPACK wants it
        system = root[:, None] * gram * root
        W = root[:, None] * Cholesky(system.T, ones).solve((root[:, None] * product).T).T
        if 2 * row_norms(product - _product(gram, W)).max() <= alpha * (1 + 1e-4):
            break
    return W
