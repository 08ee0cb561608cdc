"""Residual selection (arXiv 2412.12667): keep the patches whose similarities their embeddings explain best."""

import warnings
from typing import Any

import numpy as np
from threadpoolctl import threadpool_limits

from iqadistill.errors import InputError
from iqadistill.selection.base import Selector, first_occurrence
from iqadistill.selection.irls import solve_irls
from iqadistill.selection.objective import Solution, certified, duality_gap, row_norms
from iqadistill.selection.published import EPS, solve_published
from iqadistill.selection.selectors.residual import ResidualSettings
from iqadistill.selection.similarity import similarity_matrix, spectral_target

SOLVERS = {"irls": (solve_irls, 1000, 1e-3), "published": (solve_published, 50, 1e-6)}  # with max_iter and tol
DTYPES: dict[str, np.dtype] = {name: np.dtype(name) for name in ("float64", "float32")}
_DEFAULTS = ResidualSettings()


class ResidualSelector(Selector):
    """Ranks patches by how badly a sparse linear map of the embeddings E reproduces their similarity S ~ Z Z^T.

    Minimises ||E W - Z - R^T||_F^2 + alpha sum of row norms of W + beta sum of column norms of R (Eq. 7); the patches
    with the smallest residuals come first. Exact duplicates get the same residual; ties go by index.

    Args:
        n_components: Number h of columns of Z; at most the number of patches.
        alpha: Weight of the row norms of W, positive.
        beta: Weight of the column norms of R, positive.
        metric: Distance of the similarity: euclidean, manhattan or mahalanobis (Ledoit-Wolf covariance, inverted).
        gamma: published, 1 / (2 mean D), or scale_free, 1 / (2 mean D^2).
        similarity: rbf, or negative_distance (S = max D - D, negative eigenvalues clipped).
        solver: irls (certified by a duality gap) or published (Eq. 9 and 11 with the published stopping rule).
        max_iter: Largest number of iterations; default: 1000 (irls) or 50 (published).
        tol: Relative duality gap to reach, default 1e-3 (irls); |change of Phi| <= tol max(1, |Phi|), default 1e-6
            (published).
        dtype: float64 or float32.
        init: None for R = 0 and unit weights, "random" for a seeded random W, or W (d, h).
        random_state: Seed of a random init.

    Attributes:
        residuals_: (n,) ||r_i|| (published; near-zero ones are ranked by ||p_i||) or ||p_i|| (irls), p = E W - Z.
        ranking_: (n,) patch indices, smallest residual first.
        coef_: W (d, h).
        target_: Z (n, h).
        objective_: Phi after each iteration.
        gaps_: Relative duality gap after each iteration (irls; empty for published).
        duality_gap_: Relative duality gap at the end: Phi, R eliminated, is at most this fraction above its minimum.
        n_iter_: Iterations done; irls does not count the re-weightings that give its first weights.
    """

    coef_: np.ndarray
    target_: np.ndarray

    def __init__(
        self,
        n_components: int = _DEFAULTS.n_components,
        alpha: float = _DEFAULTS.alpha,
        beta: float = _DEFAULTS.beta,
        metric: str = _DEFAULTS.metric,
        gamma: str = _DEFAULTS.gamma,
        similarity: str = _DEFAULTS.similarity,
        solver: str = _DEFAULTS.solver,
        max_iter: int | None = _DEFAULTS.max_iter,
        tol: float | None = _DEFAULTS.tol,
        dtype: str = "float64",
        init: np.ndarray | str | None = None,
        random_state: int = 0,
    ):
        settings = {
            "n_components": n_components,
            "alpha": alpha,
            "beta": beta,
            "metric": metric,
            "gamma": gamma,
            "similarity": similarity,
            "solver": solver,
            "max_iter": max_iter,
            "tol": tol,
        }
        self.settings = ResidualSettings.of(settings, type(self).__name__)
        if dtype not in DTYPES:
            raise InputError(f"dtype: {dtype!r} is unknown; give one of {', '.join(DTYPES)}.")
        if isinstance(init, str) and init != "random":
            raise InputError(f"init: {init!r} is unknown; give None, 'random' or a matrix W (d, h).")
        self.dtype, self.init, self.random_state = dtype, init, random_state

    def check(self, X: np.ndarray, name: str) -> np.ndarray:
        """Validate the embeddings of one image: as every selector, and at least `n_components` patches."""
        X = super().check(X, name)
        components = self.settings.n_components
        if components > len(X):
            raise InputError(
                f"{name}: {len(X)} patches are fewer than n_components = {components}; "
                "sample more patches or lower n_components."
            )
        if isinstance(self.init, np.ndarray) and self.init.shape != (X.shape[1], components):
            expected = (X.shape[1], components)
            raise InputError(f"init: has shape {self.init.shape}, expected W {expected} for {name}.")
        return X

    def _fit(self, matrices: list[np.ndarray], seeds: list[int]) -> list[dict[str, Any]]:
        settings = self.settings
        solve, max_iter, tol = SOLVERS[settings.solver]
        max_iter = max_iter if settings.max_iter is None else settings.max_iter
        tol = tol if settings.tol is None else settings.tol
        fitted, unfinished = [], []
        with threadpool_limits(1, "blas"):  # sums split among threads are rounded differently
            for X, seed in zip(matrices, seeds, strict=True):
                E = X.astype(DTYPES[self.dtype], copy=False)
                Z = self._target(E)
                solution = solve(E, Z, settings.alpha, settings.beta, max_iter, tol, self._start(seed, E))
                fitted.append(self._describe(E, Z, solution, first_occurrence(X)))
                if not solution.converged:
                    unfinished.append(fitted[-1])
        if unfinished:
            gap = max(one["duality_gap_"] for one in unfinished)
            warnings.warn(
                f"solver {settings.solver} stopped before its tolerance {tol:g} on {len(unfinished)} of "
                f"{len(matrices)} images after up to {max(one['n_iter_'] for one in unfinished)} iterations: "
                f"{certified(gap)}; raise max_iter or tol.",
                stacklevel=3,
            )
        return fitted

    def _target(self, E: np.ndarray) -> np.ndarray:
        """Z (n, h) of one image."""
        settings = self.settings
        S = similarity_matrix(E, settings.metric, settings.gamma, settings.similarity)
        return spectral_target(S, settings.n_components)

    def _start(self, seed: int, E: np.ndarray) -> np.ndarray | None:
        """W (d, h) to start from."""
        if not isinstance(self.init, str):
            return None if self.init is None else self.init.astype(E.dtype)
        shape = (E.shape[1], self.settings.n_components)
        return (np.random.default_rng(seed).standard_normal(shape) / shape[0]).astype(E.dtype)

    def _describe(self, E: np.ndarray, Z: np.ndarray, solution: Solution, first: list[int]) -> dict[str, Any]:
        """Fitted attributes of an image whose patches have the residuals of their first occurrences (n,)."""
        p, r = row_norms(solution.misfit)[first], row_norms(solution.residual)[first]
        if solution.gaps:
            gap = solution.gaps[-1]
        else:
            _, gap = duality_gap(E, Z, solution.coef, self.settings.alpha, self.settings.beta)
        if self.settings.solver == "published":
            residuals, ranking = r, np.lexsort((p, np.where(r > EPS, r, 0)))
        else:
            residuals, ranking = p, np.argsort(p, kind="stable")
        return {
            "residuals_": residuals.astype(np.float64),
            "ranking_": ranking,
            "coef_": solution.coef,
            "target_": Z,
            "objective_": solution.objective,
            "gaps_": solution.gaps,
            "duality_gap_": gap,
            "n_iter_": len(solution.objective),
        }


class HighestResidualSelector(ResidualSelector):
    """Negative control: residual selection with the ranking reversed, worst explained patches first."""

    def _describe(self, E: np.ndarray, Z: np.ndarray, solution: Solution, first: list[int]) -> dict[str, Any]:
        fitted = super()._describe(E, Z, solution, first)
        return {**fitted, "ranking_": fitted["ranking_"][::-1].copy()}
