import numpy as np
import pytest
import torch
from scipy.spatial.distance import cdist
from sklearn.covariance import LedoitWolf

from iqadistill.errors import InputError
from iqadistill.selection import similarity_matrix, spectral_target, spectrum
from iqadistill.selection.similarity import pairwise_distances


def features(n=25, d=60):
    rng = np.random.default_rng(0)
    return 3 + rng.standard_normal((n, 4)) @ rng.standard_normal((4, d)) + 0.5 * rng.standard_normal((n, d))


@pytest.mark.parametrize(("metric", "scipy_name"), [("euclidean", "euclidean"), ("manhattan", "cityblock")])
def test_distances_equal_scipy(metric, scipy_name):
    D = pairwise_distances(torch.tensor(features()), metric)
    np.testing.assert_allclose(D, cdist(features(), features(), scipy_name), atol=1e-6)
    assert (D == D.T).all() and (D.diagonal() == 0).all()


@pytest.mark.parametrize("shape", [(25, 60), (80, 10)], ids=["fewer patches", "fewer features"])
def test_mahalanobis_is_the_inverse_of_scikit_learns_ledoit_wolf(shape):
    X = features(*shape)
    precision = LedoitWolf().fit(X).get_precision()
    D = pairwise_distances(torch.tensor(X), "mahalanobis")
    np.testing.assert_allclose(D, cdist(X, X, "mahalanobis", VI=precision), atol=1e-6)


def test_published_gamma_takes_the_mean_over_all_entries():
    D = cdist(features(), features())
    np.testing.assert_allclose(similarity_matrix(features()), np.exp(-(D**2) / (2 * D.mean())), atol=1e-9)


def test_scale_free_gamma_forgets_the_scale_and_the_published_one_does_not():
    for gamma, equal in (("scale_free", True), ("published", False)):
        one, scaled = (similarity_matrix(factor * features(), gamma=gamma) for factor in (1, 7))
        assert torch.allclose(one, scaled, atol=1e-9) == equal


def test_negative_distance_is_shifted_to_be_non_negative():
    S = similarity_matrix(features(), similarity="negative_distance")
    assert S.min() == 0 and torch.allclose(S.diagonal(), S.max())


def test_spectrum_is_descending_and_sums_to_the_number_of_patches():
    values = spectrum(features(), gamma="scale_free")
    assert (np.diff(values) <= 0).all()
    assert values.sum() == pytest.approx(25)


def test_target_is_the_best_low_rank_factor():
    S = similarity_matrix(features(), gamma="scale_free")
    Z = spectral_target(S, 5)
    values = spectrum(features(), gamma="scale_free")
    assert torch.linalg.norm(S - Z @ Z.T).item() == pytest.approx(np.sqrt((values[5:] ** 2).sum()))
    np.testing.assert_allclose((Z**2).sum(0), values[:5])


def test_unknown_options_are_refused():
    with pytest.raises(InputError, match=r"metric.*'cosine'"):
        spectrum(features(), metric="cosine")


@pytest.mark.parametrize("metric", ["euclidean", "mahalanobis", "manhattan"])
@pytest.mark.parametrize("n", [30, 31, 40, 60])
def test_distances_are_symmetric_to_the_last_bit(metric, n):
    D = pairwise_distances(torch.from_numpy(np.random.default_rng(n).normal(size=(n, 50))), metric)
    assert torch.equal(D, D.T)
