"""Similarity of the patches of one image, its spectrum, and the target that residual selection regresses on."""

import numpy as np

from iqadistill.selection.settings import check_options

TIE = 1e-9  # entries of an eigenvector that differ by less, relative to the largest, differ by rounding only


def pairwise_distances(X: np.ndarray, metric: str) -> np.ndarray:
    """Distances (n, n) between the rows of `X` (n, d): symmetric, zero on the diagonal and where all rows are equal.

    Mahalanobis uses the inverse of the Ledoit-Wolf covariance (the estimate of `sklearn.covariance.LedoitWolf`): with
    fewer patches than features the sample covariance has no inverse. Differences of rows lie in the row space of the
    centred data, so an n x n eigenproblem gives the distances exactly and no d x d matrix is formed.
    """
    if (X[0] == X[-1]).all() and (X[:1] == X).all():
        return np.zeros((len(X), len(X)), X.dtype)
    if metric == "manhattan":
        return _manhattan(X)
    X = X - X.mean(0)  # leaves the distances as they are and reduces cancellation
    if metric == "mahalanobis":  # does not depend on the unit: in this one, fourth powers are in the range of any type
        X = np.ldexp(X, -np.frexp(np.abs(X).max())[1])
    gram = X @ X.T
    if metric == "mahalanobis":
        gram = _whiten(gram, X.shape[1])
    norms = gram.diagonal()
    # both brackets are symmetric to the last bit, even where the matrix product of a processor is not
    squares = np.maximum((norms[:, None] + norms) - (gram + gram.T), 0)
    np.fill_diagonal(squares, 0)
    return np.sqrt(squares)


def _manhattan(X: np.ndarray) -> np.ndarray:
    D = np.zeros((len(X), len(X)), X.dtype)
    for i in range(1, len(X)):
        D[i, :i] = D[:i, i] = np.abs(X[:i] - X[i]).sum(1)
    return D


def _whiten(gram: np.ndarray, d: int) -> np.ndarray:
    """Gram matrix of the centred rows after whitening with their Ledoit-Wolf covariance."""
    n = len(gram)
    variance = np.trace(gram) / (n * d)  # the mean eigenvalue of the covariance
    if variance <= 0:
        return gram
    # Ledoit and Wolf 2004: spread of the covariance around its mean, and error of its entries, from the Gram matrix
    squares = np.square(gram).sum() / n**2
    spread = squares / d - variance**2
    error = (np.square(gram.diagonal()).sum() / n - squares) / (d * n)
    shrinkage = np.clip(error / spread, 0, 1) if spread > 0 else 0.0
    values, vectors = np.linalg.eigh(gram)
    values = np.maximum(values, 0)
    denominators = (1 - shrinkage) * values / n + shrinkage * variance
    kept = denominators > 1e-12 * variance
    gain = np.where(kept, values / np.where(kept, denominators, 1), 0)
    return (vectors * gain) @ vectors.T


def similarity_matrix(
    X: np.ndarray,
    metric: str = "euclidean",
    gamma: str = "published",
    similarity: str = "rbf",
) -> np.ndarray:
    """Similarity S (n, n) of the patches of one image (arXiv 2412.12667).

    S = exp(-gamma D^2). The published gamma is 1 / (2 mean(D)), the mean over all n^2 entries: it depends on the scale
    of the features, and S tends to the identity for large ones. The scale-free gamma is 1 / (2 mean(D^2)).

    Args:
        X: Embeddings (n, d).
        metric: euclidean, manhattan or mahalanobis.
        gamma: published or scale_free.
        similarity: rbf, or negative_distance for S = max(D) - D, which needs no gamma but is not positive semidefinite.

    Raises:
        InputError: An option is unknown.
    """
    check_options(metric, gamma, similarity)
    D = pairwise_distances(X, metric)
    if similarity == "negative_distance":
        return D.max() - D
    squares = np.square(D)
    scale = D.mean() if gamma == "published" else squares.mean()
    if scale == 0:  # all patches are equal
        return np.ones_like(D)
    return np.exp(squares / (-2 * scale))


def spectral_target(S: np.ndarray, n_components: int) -> np.ndarray:
    """Target Z (n, h) with S ~ Z Z^T: the leading eigenvectors scaled by the roots of their (non-negative) eigenvalues.

    The sign of an eigenvector is arbitrary and differs between processors: here its largest entry is positive.
    """
    values, vectors = np.linalg.eigh(S)  # drivers of LAPACK for a part of them fail where S is nearly the identity
    values, vectors = values[-n_components:], vectors[:, -n_components:]
    magnitude = np.abs(vectors)
    largest = (magnitude >= (1 - TIE) * magnitude.max(0)).argmax(0)
    roots = np.sqrt(np.maximum(values, 0))
    return (vectors * np.where(vectors[largest, np.arange(vectors.shape[1])] < 0, -roots, roots))[:, ::-1]


def spectrum(X: np.ndarray, metric: str = "euclidean", gamma: str = "published") -> np.ndarray:
    """Eigenvalues (n,) of the similarity of one image's patches, descending.

    Raises:
        InputError: An option is unknown.
    """
    S = similarity_matrix(np.asarray(X, dtype=np.float64), metric, gamma)
    return np.linalg.eigvalsh(S)[::-1]
