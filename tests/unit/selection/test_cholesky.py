"""Weighted Gram matrices and Cholesky factors against plain NumPy."""

import numpy as np
import pytest

from iqadistill.selection.cholesky import Cholesky, weighted_gram


@pytest.mark.parametrize(("dtype", "near"), [(np.float32, 1e-4), (np.float64, 1e-12)])
@pytest.mark.parametrize("order", ["C", "F"])
@pytest.mark.parametrize("m", [0, 1, 3, 30])
def test_system_of_weighted_columns_is_solved_and_inverted(m, order, dtype, near):
    rng = np.random.default_rng(m)
    E, weights, diagonal = rng.standard_normal((7, m)), rng.random(m), 1 + rng.random(7)
    matrix = (E * weights) @ E.T
    lower = weighted_gram(E.astype(dtype, order=order), weights.astype(dtype))
    np.testing.assert_allclose(np.tril(lower), np.tril(matrix), atol=near)
    factor = Cholesky(lower, diagonal.astype(dtype))
    exact = np.linalg.inv(matrix + np.diag(diagonal))
    right = rng.standard_normal((2, 7))
    np.testing.assert_allclose(factor.solve(right), right @ exact, atol=near)
    np.testing.assert_allclose(factor.inverse(), exact, atol=near)
    np.testing.assert_allclose(np.tril(lower), np.tril(matrix), atol=near)  # as it was


def test_matrix_that_rounding_makes_indefinite_is_raised():
    E = np.full((5, 3), 1e6, dtype=np.float32)
    factor = Cholesky(weighted_gram(E, np.ones(3, np.float32)), np.ones(5, np.float32))
    assert np.isfinite(factor.solve(np.eye(5))).all()
