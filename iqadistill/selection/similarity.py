"""Similarity of the patches of one image, its spectrum, and the target that residual selection regresses on."""

import numpy as np
import torch

from iqadistill.selection.settings import check_options

TIE = 1e-9  # entries of an eigenvector that differ by less, relative to the largest, differ by rounding only


def pairwise_distances(X: torch.Tensor, metric: str) -> torch.Tensor:
    """Distances (n, n) between the rows of `X` (n, d): symmetric, zero on the diagonal and where all rows are equal.

    Mahalanobis uses the inverse of the Ledoit-Wolf covariance (the estimate of `sklearn.covariance.LedoitWolf`): with
    fewer patches than features the sample covariance has no inverse. Differences of rows lie in the row space of the
    centred data, so an n x n eigenproblem gives the distances exactly and no d x d matrix is formed.
    """
    if (X[0] == X[-1]).all() and (X[:1] == X).all():
        return X.new_zeros(len(X), len(X))
    if metric == "manhattan":
        return torch.cdist(X, X, p=1)
    X = X - X.mean(0)  # leaves the distances as they are and reduces cancellation
    gram = X @ X.T
    if metric == "mahalanobis":
        gram = _whiten(gram, X.shape[1])
    norms = gram.diagonal()
    # both brackets are symmetric to the last bit, even where the matrix product of a processor is not
    squares = ((norms[:, None] + norms[None, :]) - (gram + gram.T)).clamp(min=0)
    return squares.fill_diagonal_(0).sqrt()


def _whiten(gram: torch.Tensor, d: int) -> torch.Tensor:
    """Gram matrix of the centred rows after whitening with their Ledoit-Wolf covariance."""
    n = gram.shape[0]
    variance = gram.trace() / (n * d)  # the mean eigenvalue of the covariance
    if variance <= 0:
        return gram
    # Ledoit and Wolf 2004: spread of the covariance around its mean, and error of its entries, from the Gram matrix
    squares = gram.square().sum() / n**2
    spread = squares / d - variance**2
    error = (gram.diagonal().square().sum() / n - squares) / (d * n)
    shrinkage = (error / spread).clamp(0, 1) if spread > 0 else gram.new_zeros(())
    values, vectors = torch.linalg.eigh(gram)
    values = values.clamp(min=0)
    denominators = (1 - shrinkage) * values / n + shrinkage * variance
    gain = torch.where(denominators > 1e-12 * variance, values / denominators, 0)
    return (vectors * gain) @ vectors.T


def similarity_matrix(
    X: np.ndarray | torch.Tensor,
    metric: str = "euclidean",
    gamma: str = "published",
    similarity: str = "rbf",
) -> torch.Tensor:
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
    D = pairwise_distances(torch.as_tensor(X), metric)
    if similarity == "negative_distance":
        return D.max() - D
    scale = D.mean() if gamma == "published" else D.square().mean()
    if scale == 0:  # all patches are equal
        return torch.ones_like(D)
    return torch.exp(-D.square() / (2 * scale))


def spectral_target(S: torch.Tensor, n_components: int) -> torch.Tensor:
    """Target Z (n, h) with S ~ Z Z^T: the leading eigenvectors scaled by the roots of their (non-negative) eigenvalues.

    The sign of an eigenvector is arbitrary and differs between processors: here its largest entry is positive.
    """
    values, vectors = torch.linalg.eigh(S)
    vectors = vectors[:, -n_components:]
    magnitude = vectors.abs()
    largest = (magnitude >= (1 - TIE) * magnitude.amax(0)).int().argmax(0, keepdim=True)
    vectors = vectors * torch.where(vectors.gather(0, largest) < 0, -1.0, 1.0).to(vectors.dtype)
    return (vectors * values[-n_components:].clamp(min=0).sqrt()).flip(1)


def spectrum(X: np.ndarray, metric: str = "euclidean", gamma: str = "published") -> np.ndarray:
    """Eigenvalues (n,) of the similarity of one image's patches, descending.

    Raises:
        InputError: An option is unknown.
    """
    S = similarity_matrix(np.asarray(X, dtype=np.float64), metric, gamma)
    return torch.linalg.eigvalsh(S).flip(0).numpy()
