"""Weighted Gram matrices and their Cholesky factors by SciPy's BLAS and LAPACK, in the precision of the arguments."""

import numpy as np
from scipy.linalg import blas, lapack

_DOUBLE = np.dtype(np.float64)


def weighted_gram(E: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Lower triangle of E diag(t) E^T (n, n) from E (n, m) and weights t_j >= 0 (m,); zeros above it."""
    n, m = E.shape
    if not m:
        return np.zeros((n, n), E.dtype, order="F")
    syrk = blas.dsyrk if E.dtype == _DOUBLE else blas.ssyrk
    weighted = E * np.sqrt(weights)  # in the memory order of E
    return syrk(1.0, weighted, lower=1) if weighted.flags.f_contiguous else syrk(1.0, weighted.T, trans=1, lower=1)


class Cholesky:
    """Factor L of G + diag(d) = L L^T, from the lower triangle of G.

    Where rounding makes the matrix indefinite, its diagonal is raised by as much as that takes.
    """

    def __init__(self, lower: np.ndarray, diagonal: np.ndarray):
        matrix = np.array(lower, order="F")
        matrix.flat[:: len(matrix) + 1] += diagonal
        self._double = matrix.dtype == _DOUBLE
        factorise = lapack.dpotrf if self._double else lapack.spotrf
        self._factor, info = factorise(matrix, lower=1)
        rounding = 4 * len(matrix) * np.finfo(matrix.dtype).eps * matrix.diagonal().max() if info else 0.0
        while info and 0 < rounding < np.inf:  # false for NaN as well
            matrix.flat[:: len(matrix) + 1] += rounding
            self._factor, info = factorise(matrix, lower=1)
            rounding *= 10

    def solve(self, right: np.ndarray) -> np.ndarray:
        """Solution of every row of `right` (h, n), again as rows."""
        solve = lapack.dpotrs if self._double else lapack.spotrs
        return solve(self._factor, np.ascontiguousarray(right, self._factor.dtype).T, lower=1)[0].T

    def inverse(self) -> np.ndarray:
        """The inverse (n, n), symmetric."""
        invert = lapack.dpotri if self._double else lapack.spotri
        lower = invert(self._factor, lower=1)[0]
        inverse = lower + lower.T
        inverse.flat[:: len(inverse) + 1] *= 0.5
        return inverse
