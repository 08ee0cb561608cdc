import numpy as np
import pytest

from iqadistill.errors import InputError
from iqadistill.selection import (
    SELECTORS,
    FacilityLocationSelector,
    HerdingSelector,
    KCenterSelector,
    RandomSelector,
    keep_count,
    similarity_matrix,
)

METHODS = SELECTORS.names
GREEDY = [KCenterSelector, HerdingSelector, FacilityLocationSelector]


def create_selector(method):
    return SELECTORS[method]().create()


def features(n=30, d=20, seed=0):
    return np.random.default_rng(seed).random((n, d))


@pytest.mark.parametrize("method", METHODS)
def test_ranking_is_a_reproducible_permutation(method):
    one, again = create_selector(method).fit(features()), create_selector(method).fit(features())
    assert sorted(one.ranking_) == list(range(30))
    np.testing.assert_array_equal(one.ranking_, again.ranking_)
    np.testing.assert_array_equal(one.select(1.0), np.arange(30))
    kept = one.select(0.5)
    assert len(kept) == 15 and (np.diff(kept) > 0).all()
    assert np.isnan(one.residuals_).all() == (method not in ("residual", "highest_residual"))


@pytest.mark.parametrize("method", METHODS)
def test_joint_fit_of_many_images_equals_separate_fits(method):
    images = [features(n, seed=n) for n in (30, 15, 22)]
    for X, one in zip(images, create_selector(method).fit_many(images), strict=True):
        np.testing.assert_array_equal(one.ranking_, create_selector(method).fit(X).ranking_)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize(
    ("X", "match"),
    [
        (np.full((12, 3), np.nan), "embeddings.*NaN"),
        (np.full((12, 3), -1e200), r"embeddings.*huge values \(beyond 1e\+140 in float64\)"),
        (np.full((12, 3), np.inf), "embeddings.*infinite"),
        (np.ones(12), r"shape \(12,\)"),
        (np.ones((0, 3)), r"shape \(0, 3\)"),
    ],
)
def test_unusable_embeddings_are_refused(method, X, match):
    with pytest.raises(InputError, match=match):
        create_selector(method).fit(X)


def test_random_ranking_depends_on_seed_only():
    first, same, other = (RandomSelector(seed).fit(features(seed=i)).ranking_ for i, seed in enumerate((5, 5, 6)))
    np.testing.assert_array_equal(first, same)
    assert not np.array_equal(first, other)


def test_kcenter_starts_at_the_mean_and_selects_farthest():
    X = np.array([[0.0], [0.1], [5.2], [10.0], [9.9], [5.0]])
    np.testing.assert_array_equal(KCenterSelector().fit(X).ranking_[:3], [5, 0, 3])


def test_kcenter_breaks_ties_by_index():
    X = np.array([[0.0, 0], [3, 1], [-3, 1], [3, -1], [-3, -1]])
    for shift in (0, 0.1, 1 / 3, 1e3):
        np.testing.assert_array_equal(KCenterSelector().fit(X + shift).ranking_, np.arange(5))


def test_facility_location_breaks_near_ties_by_index():
    # patches 28 and 30 cover each other and no other patch, so that their gains differ by rounding only
    rng = np.random.default_rng(5)
    low_rank = 0.5 + 0.4 * rng.standard_normal((31, 6)) @ rng.standard_normal((6, 128))
    X = np.maximum(0, low_rank + rng.random((31, 128)))
    for scale in (1, 1.1, 3, 1e3):
        np.testing.assert_array_equal(FacilityLocationSelector().fit(scale * X).ranking_[:4], [21, 16, 0, 28])


@pytest.mark.parametrize("selector", GREEDY)
@pytest.mark.parametrize("metric", ["euclidean", "manhattan", "mahalanobis"])
def test_duplicates_are_ranked_by_index(selector, metric):
    X = features(20, seed=1)
    ranking = selector(metric).fit(np.concatenate([X, X, X])).ranking_
    for patch in range(20):
        assert (np.diff(np.flatnonzero(ranking % 20 == patch)) > 0).all()
        np.testing.assert_array_equal(ranking[ranking % 20 == patch] // 20, [0, 1, 2])


@pytest.mark.parametrize("selector", GREEDY)
def test_identical_patches_are_ranked_by_index(selector):
    for value in (1, 0.1, 1 / 3):
        np.testing.assert_array_equal(selector().fit(np.full((7, 30), value)).ranking_, np.arange(7))


@pytest.mark.parametrize("selector", GREEDY)
def test_rounding_errors_do_not_change_the_ranking(selector):
    X = features(60, 40)
    ranking = selector().fit(X).ranking_
    for seed in range(5):
        noise = 1 + 1e-15 * np.random.default_rng(seed).standard_normal(X.shape)
        np.testing.assert_array_equal(selector().fit(X * noise).ranking_, ranking)


def test_kcenter_first_selects_one_patch_per_cluster():
    centres = np.eye(5) * 100
    X = (centres[:, None] + np.random.default_rng(0).random((5, 6, 5))).reshape(30, 5)
    assert set(KCenterSelector().fit(X).ranking_[:5] // 6) == set(range(5))


def test_facility_location_is_greedy():
    X = features()
    S = similarity_matrix(X, gamma="scale_free")
    order = FacilityLocationSelector().fit(X).ranking_
    cover = [S[order[:k]].max(0).sum() for k in range(1, 31)]
    for k in range(1, 6):
        rest = np.setdiff1d(np.arange(30), order[:k])
        best = max(np.maximum(S[order[:k]].max(0), S[j]).sum() for j in rest)
        assert cover[k] == pytest.approx(best)


def test_herding_approximates_the_kernel_mean_better_than_random():
    X = features(60)
    S = similarity_matrix(X, gamma="scale_free")

    def discrepancy(chosen):
        return S.mean() - 2 * S[chosen].mean() + S[np.ix_(chosen, chosen)].mean()

    herded = discrepancy(HerdingSelector().fit(X).ranking_[:12])
    assert herded < min(discrepancy(RandomSelector(seed).fit(X).ranking_[:12]) for seed in range(20))


@pytest.mark.parametrize(("n", "keep", "count"), [(180, 0.4, 72), (3, 0.1, 1), (5, 0.5, 2), (7, 0.5, 4), (9, 1.0, 9)])
def test_keep_count_rounds_half_to_even_and_keeps_at_least_one(n, keep, count):
    assert keep_count(n, keep) == count


@pytest.mark.parametrize("keep", [0, -0.1, 1.01, float("nan")])
def test_keep_rates_outside_zero_to_one_are_refused(keep):
    with pytest.raises(InputError, match="keep"):
        keep_count(10, keep)


def test_unknown_metrics_are_refused():
    with pytest.raises(InputError, match=r"metric.*'cosine'.*mahalanobis"):
        KCenterSelector("cosine")
