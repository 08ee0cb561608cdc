"""Residual selection over all rows of a collection."""

import numpy as np
import pytest
from scipy.stats import spearmanr

from iqadistill.embedding_blocks import HeldEmbeddings
from iqadistill.errors import InputError
from iqadistill.selection import joint
from iqadistill.selection.joint import select_jointly
from iqadistill.selection.landmarks import landmark_map, landmark_target
from iqadistill.selection.residual import ResidualSelector
from iqadistill.selection.selectors.residual import ResidualSettings
from iqadistill.selection.similarity import similarity_matrix, spectral_target


def embeddings(n, d=32, seed=0):
    """Non-negative embeddings in clusters, as those of a network."""
    random = np.random.default_rng(seed)
    centres = random.normal(0, 1, (12, 6))
    latent = centres[random.integers(12, size=n)] + random.normal(0, 0.5, (n, 6))
    return np.maximum(latent @ random.normal(0, 1, (6, d)) + random.normal(0, 0.3, (n, d)), 0).astype(np.float16)


@pytest.fixture
def many(monkeypatch):
    """Take every number of rows for many."""
    monkeypatch.setattr(joint, "EXACT", 0)


def options(**given):
    return ResidualSettings(**{"gamma": "scale_free", "n_components": 5, **given})


@pytest.mark.parametrize("gamma", ["published", "scale_free"])
def test_all_rows_as_landmarks_give_the_exact_target(gamma):
    X = embeddings(150)
    Z, _ = landmark_target(HeldEmbeddings(X, 40), 5, gamma=gamma, landmarks=150, seed=0)
    exact = spectral_target(similarity_matrix(X.astype(np.float64), gamma=gamma), 5)
    np.testing.assert_allclose(Z @ Z.T, exact @ exact.T, atol=2e-4)


@pytest.mark.parametrize("gamma", ["published", "scale_free"])
def test_all_rows_as_landmarks_give_the_residuals_of_the_exact_selection(many, gamma):
    X = embeddings(300)
    found = select_jointly(HeldEmbeddings(X, 64), options(gamma=gamma, tol=1e-4), landmarks=300)
    exact = ResidualSelector(n_components=5, gamma=gamma, tol=1e-6).fit(X)
    np.testing.assert_allclose(found.residuals, exact.residuals_, atol=5e-3)
    assert spearmanr(found.residuals, exact.residuals_).statistic > 0.999 and found.duality_gap <= 1e-4


def test_landmarks_rank_as_all_pairs_do(many):
    X = embeddings(2000)
    found = select_jointly(HeldEmbeddings(X), options(), landmarks=500)
    exact = ResidualSelector(n_components=5, gamma="scale_free").fit(X)
    assert spearmanr(found.residuals, exact.residuals_).statistic > 0.99
    assert len(np.intersect1d(found.ranking[:800], exact.ranking_[:800])) > 760


def test_the_gap_certifies_the_objective(many):
    X = embeddings(400)
    coarse, fine = (select_jointly(HeldEmbeddings(X), options(tol=tol), landmarks=100) for tol in (1e-1, 1e-4))
    Z, _ = landmark_target(HeldEmbeddings(X), 5, gamma="scale_free", landmarks=100, seed=0)

    def objective(W):
        p = np.linalg.norm(X.astype(float) @ W - Z, axis=1)
        return np.where(p <= 0.05, p**2, 0.1 * p - 0.1**2 / 4).sum() + 0.1 * np.linalg.norm(W, axis=1).sum()

    low, high = objective(fine.coef), objective(coarse.coef)
    assert low <= high * (1 + 1e-9) and (high - low) / high <= coarse.duality_gap <= 1e-1
    assert fine.passes > coarse.passes


class LentEmbeddings(HeldEmbeddings):
    """Embeddings whose blocks are overwritten as soon as the next one is asked for."""

    def blocks(self):
        """The blocks, each a copy."""
        for block in super().blocks():
            lent = block.copy()
            yield lent
            lent[:] = np.nan


def test_the_result_does_not_depend_on_the_blocks_and_no_block_is_kept(many):
    X = embeddings(500)
    first, second = (select_jointly(LentEmbeddings(X, rows), options(), landmarks=100) for rows in (37, 500))
    np.testing.assert_allclose(first.residuals, second.residuals, atol=1e-4)
    assert first.passes == second.passes


def test_few_rows_are_ranked_by_all_pairs():
    X = embeddings(60)
    found = select_jointly(HeldEmbeddings(X, 16), options())
    exact = ResidualSelector(n_components=5, gamma="scale_free").fit(X)
    np.testing.assert_array_equal(found.ranking, exact.ranking_)
    assert found.passes == 0


def test_collinear_and_constant_columns_and_equal_rows_are_no_trouble(many):
    X = embeddings(300)
    X = np.hstack([X, X[:, :5], 10 * X[:, :5] + 300, np.zeros((300, 2))]).astype(np.float16)
    found = select_jointly(HeldEmbeddings(X), options(), landmarks=100)
    assert np.isfinite(found.residuals).all() and found.duality_gap <= 1e-3
    equal = select_jointly(HeldEmbeddings(np.ones((50, 4), np.float32)), options())
    assert np.ptp(equal.residuals) < 1e-5


def test_a_similarity_too_narrow_for_landmarks_is_refused(many):
    X = HeldEmbeddings(np.random.default_rng(0).normal(0, 30, (400, 40)))
    with pytest.raises(InputError, match=r"gamma published: .* give gamma scale_free, or more landmarks"):
        select_jointly(X, options(gamma="published"), landmarks=100)


@pytest.mark.parametrize(("key", "value"), [("metric", "manhattan"), ("similarity", "negative_distance")])
def test_settings_that_need_all_pairs_are_refused(many, key, value):
    with pytest.raises(InputError, match=f"{key} {value}: compares all pairs of 60 rows"):
        select_jointly(HeldEmbeddings(embeddings(60)), options(**{key: value}))


def test_embeddings_that_are_not_finite_are_refused(many):
    X = embeddings(60)
    X[41] = np.nan
    with pytest.raises(InputError, match="row 41 holds NaN, infinite or huge values"):
        select_jointly(HeldEmbeddings(X, 20), options())


@pytest.mark.parametrize(
    ("passes", "certified"), [(3, "certified to a relative"), (1, "nothing certifies the objective")]
)
def test_a_run_that_stops_early_says_so(many, passes, certified):
    with pytest.warns(UserWarning, match=f"after {passes} passes: .*{certified}.*; raise max_iter or tol"):
        select_jointly(HeldEmbeddings(embeddings(300)), options(tol=0, max_iter=passes), landmarks=50)


@pytest.mark.parametrize("exponent", [-120, -60, 60, 120])
def test_another_unit_is_another_alpha(many, exponent):
    X, alpha = embeddings(300).astype(np.float32), 1e-3
    expected = select_jointly(HeldEmbeddings(X), options(alpha=alpha), landmarks=80)
    moved = np.ldexp(X.astype(np.float64), exponent)
    found = select_jointly(HeldEmbeddings(moved), options(alpha=np.ldexp(alpha, exponent)), landmarks=80)
    np.testing.assert_allclose(found.residuals, expected.residuals, atol=1e-3)
    np.testing.assert_allclose(np.ldexp(found.coef, exponent), expected.coef, atol=1e-2)


def test_huge_embeddings_are_ranked_as_without_a_penalty(many):
    X = embeddings(300).astype(np.float32)
    expected = select_jointly(HeldEmbeddings(X), options(alpha=1e-4), landmarks=80)
    with pytest.warns(UserWarning, match="nothing certifies the objective"):
        found = select_jointly(HeldEmbeddings(np.ldexp(X, 120)), options(), landmarks=80)
    assert spearmanr(found.residuals, expected.residuals).statistic > 0.999


@pytest.mark.parametrize("exponent", [20, 60, 120])
def test_huge_embeddings_have_too_narrow_a_similarity_with_the_published_gamma(many, exponent):
    X = HeldEmbeddings(np.ldexp(embeddings(300).astype(np.float32), exponent))
    with pytest.raises(InputError, match="gamma published: the similarity is so narrow"):
        select_jointly(X, options(gamma="published"), landmarks=80)


@pytest.mark.filterwarnings("error:overflow")
@pytest.mark.parametrize("unit", [1e-300, 1e-310, 1e-322])
def test_tiny_embeddings_are_all_alike_with_the_published_gamma(many, unit):
    X = embeddings(60).astype(np.float64) * unit
    found = select_jointly(HeldEmbeddings(X), options(gamma="published"), landmarks=30)
    assert np.ptp(found.residuals) < 1e-5


@pytest.mark.parametrize("exact", [0, 60])
def test_embeddings_beyond_the_limit_are_refused_whatever_their_number(monkeypatch, exact):
    monkeypatch.setattr(joint, "EXACT", exact)
    X = embeddings(60).astype(np.float64)
    X *= 1e140 / X.max()
    assert np.isfinite(select_jointly(HeldEmbeddings(X), options(alpha=1e140)).residuals).all()
    with pytest.raises(InputError, match=r"huge values \(beyond 1e\+140"):
        select_jointly(HeldEmbeddings(1.01 * X), options())


def test_the_largest_numbers_of_half_precision(many):
    X = embeddings(300).astype(np.float32)
    found = select_jointly(HeldEmbeddings((X * (65000 / X.max())).astype(np.float16)), options(), landmarks=80)
    expected = select_jointly(HeldEmbeddings(X), options(alpha=0.1 * X.max() / 65000), landmarks=80)
    assert spearmanr(found.residuals, expected.residuals).statistic > 0.999


def test_the_map_of_all_landmarks_gives_the_similarity():
    S = similarity_matrix(embeddings(40).astype(np.float64), gamma="scale_free")
    np.testing.assert_allclose((S @ landmark_map(S)) @ (S @ landmark_map(S)).T, S, atol=1e-8)
    assert landmark_map(S, 7).shape == (40, 7)
