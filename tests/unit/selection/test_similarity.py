import numpy as np
import pytest
from scipy.spatial.distance import cdist
from sklearn.covariance import LedoitWolf

from iqadistill.errors import InputError
from iqadistill.selection import similarity_matrix, spectral_target, spectrum
from iqadistill.selection.similarity import pairwise_distances


def features(n=25, d=60):
    rng = np.random.default_rng(0)
    return 3 + rng.standard_normal((n, 4)) @ rng.standard_normal((4, d)) + 0.5 * rng.standard_normal((n, d))


@pytest.mark.parametrize(("metric", "scipy_name"), [("euclidean", "euclidean"), ("manhattan", "cityblock")])
def test_distances_match_scipy(metric, scipy_name):
    D = pairwise_distances(features(), metric)
    np.testing.assert_allclose(D, cdist(features(), features(), scipy_name), atol=1e-6)


@pytest.mark.parametrize("metric", ["euclidean", "manhattan", "mahalanobis"])
@pytest.mark.parametrize("n", [12, 25, 30, 31, 40, 60, 180])
def test_distances_and_similarities_are_exactly_symmetric(n, metric):
    for d in (5, 60, 333):
        D = pairwise_distances(features(n, d), metric)
        assert np.array_equal(D, D.T) and (D.diagonal() == 0).all()
        for gamma in ("published", "scale_free"):
            S = similarity_matrix(features(n, d), metric, gamma)
            assert np.array_equal(S, S.T) and (S.diagonal() == 1).all()


@pytest.mark.parametrize("metric", ["euclidean", "manhattan", "mahalanobis"])
def test_identical_patches_have_zero_distance_and_full_similarity(metric):
    for value in (1.0, 0.1, 1 / 3):
        X = np.full((6, 31), value)
        assert (pairwise_distances(X, metric) == 0).all()
        for gamma in ("published", "scale_free"):
            assert (similarity_matrix(X, metric, gamma) == 1).all()
        assert (similarity_matrix(X, metric, similarity="negative_distance") == 0).all()


@pytest.mark.parametrize("shape", [(25, 60), (80, 10)], ids=["fewer patches", "fewer features"])
def test_mahalanobis_uses_ledoit_wolf_precision(shape):
    X = features(*shape)
    precision = LedoitWolf().fit(X).get_precision()
    D = pairwise_distances(X, "mahalanobis")
    np.testing.assert_allclose(D, cdist(X, X, "mahalanobis", VI=precision), atol=1e-6)


@pytest.mark.filterwarnings("error:overflow")
@pytest.mark.parametrize("exponent", [-460, -260, -1, 10, 260, 460])
def test_mahalanobis_does_not_depend_on_the_unit_of_the_embeddings(exponent):
    expected = pairwise_distances(features(), "mahalanobis")
    np.testing.assert_array_equal(pairwise_distances(np.ldexp(features(), exponent), "mahalanobis"), expected)
    if abs(exponent) < 60:
        X = features().astype(np.float32)
        found = pairwise_distances(np.ldexp(X, exponent), "mahalanobis")
        np.testing.assert_array_equal(found, pairwise_distances(X, "mahalanobis"))


def test_published_gamma_uses_mean_distance_of_all_pairs():
    D = cdist(features(), features())
    np.testing.assert_allclose(similarity_matrix(features()), np.exp(-(D**2) / (2 * D.mean())), atol=1e-9)


def test_only_scale_free_gamma_ignores_feature_scale():
    for gamma, equal in (("scale_free", True), ("published", False)):
        one, scaled = (similarity_matrix(factor * features(), gamma=gamma) for factor in (1, 7))
        assert np.allclose(one, scaled, atol=1e-9) == equal


def test_negative_distance_similarity_is_non_negative():
    S = similarity_matrix(features(), similarity="negative_distance")
    assert S.min() == 0 and np.allclose(S.diagonal(), S.max())


def test_spectrum_is_descending_and_sums_to_patch_count():
    values = spectrum(features(), gamma="scale_free")
    assert (np.diff(values) <= 0).all()
    assert values.sum() == pytest.approx(25)


def test_target_is_the_best_low_rank_factor():
    S = similarity_matrix(features(), gamma="scale_free")
    Z = spectral_target(S, 5)
    values = spectrum(features(), gamma="scale_free")
    assert np.linalg.norm(S - Z @ Z.T) == pytest.approx(np.sqrt((values[5:] ** 2).sum()))
    np.testing.assert_allclose((Z**2).sum(0), values[:5])


@pytest.mark.parametrize("flips", [1, -1])
def test_largest_entry_of_each_target_column_is_positive(flips, monkeypatch):
    S = similarity_matrix(features(), gamma="scale_free")
    expected = spectral_target(S, 5)
    largest = expected[np.abs(expected).argmax(0), np.arange(5)]
    assert (largest > 0).all()
    eigh = np.linalg.eigh

    def flipped(matrix):
        values, vectors = eigh(matrix)
        return values, flips * vectors

    monkeypatch.setattr(np.linalg, "eigh", flipped)
    np.testing.assert_array_equal(spectral_target(S, 5), expected)


def test_first_of_equal_entries_decides_target_sign():
    S = np.array([[2.0, -1.0], [-1.0, 2.0]])  # eigenvectors (1, -1) and (1, 1)
    assert (spectral_target(S, 2)[0] > 0).all()


def test_unknown_options_are_refused():
    with pytest.raises(InputError, match=r"metric.*'cosine'"):
        spectrum(features(), metric="cosine")


def test_target_of_fewer_patches_than_components_has_a_column_for_each_patch():
    S = similarity_matrix(np.random.default_rng(0).standard_normal((4, 6)), gamma="scale_free")
    Z = spectral_target(S, 10)
    assert Z.shape == (4, 4)
    np.testing.assert_allclose(Z @ Z.T, S, atol=1e-12)
