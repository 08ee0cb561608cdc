"""Choice of images to have rated."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from iqadistill.choosing import CHOOSERS, choose_images, similarity
from iqadistill.choosing.choosers import facility, v_optimal
from iqadistill.choosing.choosers.facility import facility_location, similarity_of_directions
from iqadistill.choosing.choosers.lcmd import largest_cluster_maximum_distance
from iqadistill.choosing.choosers.v_optimal import NOISE, v_optimal_design
from iqadistill.choosing.features import image_features
from iqadistill.choosing.similarity import rbf_similarity
from iqadistill.errors import InputError

COVERING = ["facility", "v_optimal", "lcmd"]
METHODS = [*COVERING, "residual", "random"]


def embeddings(seed, n=30, d=8):
    return np.random.default_rng(seed).normal(size=(n, d)).astype(np.float32)


def clusters(sizes, d=12):
    """Embeddings of clusters that lie far apart, with little spread inside, and the cluster of each."""
    random = np.random.default_rng(0)
    centres = random.normal(0, 10, (len(sizes), d))
    cluster = np.repeat(np.arange(len(sizes)), sizes)
    return (centres[cluster] + random.normal(0, 0.05, (sum(sizes), d))).astype(np.float32), cluster


def few_landmarks(monkeypatch, *, exact, landmarks):
    """Let so many landmarks stand for more images than `exact`."""
    monkeypatch.setattr(similarity, "EXACT", exact)
    monkeypatch.setattr(facility, "LANDMARKS", landmarks)
    monkeypatch.setattr(facility, "SIMILARITIES", 0)
    monkeypatch.setattr(v_optimal, "LANDMARKS", landmarks)


def coverage(K, chosen):
    return K[:, list(chosen)].max(1).sum()


def remaining_variance(K, chosen):
    """Sum of the variances of a Gaussian process over images, given noisy scores of the chosen ones."""
    chosen = list(chosen)
    explained = K[:, chosen] @ np.linalg.solve(K[np.ix_(chosen, chosen)] + NOISE * np.eye(len(chosen)), K[chosen])
    return np.trace(K - explained)


@settings(max_examples=25, deadline=None)
@given(
    method=st.sampled_from(METHODS),
    n=st.integers(2, 40),
    seed=st.integers(0, 1000),
    share=st.floats(0, 0.9),
    data=st.data(),
)
def test_count_is_respected_and_rated_images_are_never_chosen(method, n, seed, share, data):
    rated = np.random.default_rng(seed).permutation(n)[: min(int(share * n), n - 1)]
    count = data.draw(st.integers(1, n - len(rated)))
    chosen = choose_images(embeddings(seed, n), count, method=method, rated=rated, seed=seed)
    assert len(set(chosen)) == len(chosen) == count
    assert not set(chosen) & set(rated) and set(chosen) <= set(range(n))


@pytest.mark.parametrize("method", METHODS)
def test_smaller_count_gives_the_first_of_a_larger_one(method):
    X = embeddings(1)
    np.testing.assert_array_equal(choose_images(X, 5, method=method), choose_images(X, 12, method=method)[:5])


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 1000), known=st.integers(0, 4))
def test_facility_location_takes_the_largest_gain_at_every_step_and_gains_never_grow(seed, known):
    similar = similarity_of_directions(image_features(embeddings(seed, 25)), 0)
    K, rated = similar.held, list(range(known))
    chosen = list(facility_location(similar, 10, np.array(rated, dtype=int)))
    gains = []
    for step in range(len(chosen)):
        before = rated + chosen[:step]
        values = {j: coverage(K, [*before, j]) for j in range(25) if j not in before}
        assert values[chosen[step]] == pytest.approx(max(values.values()), rel=1e-12)
        gains.append(values[chosen[step]] - (coverage(K, before) if before else 0))
    assert np.all(np.diff(gains) <= 1e-9)


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 1000), known=st.integers(0, 4))
def test_v_optimal_design_leaves_the_least_variance_at_every_step(seed, known):
    K, rated = rbf_similarity(image_features(embeddings(seed, 25)), 0, landmarks=25).held, list(range(known))
    chosen = list(v_optimal_design(K, 10, np.array(rated, dtype=int)))
    for step in range(len(chosen)):
        before = rated + chosen[:step]
        values = {j: remaining_variance(K, [*before, j]) for j in range(25) if j not in before}
        assert values[chosen[step]] == pytest.approx(min(values.values()), rel=1e-9)
        if before:
            assert values[chosen[step]] < remaining_variance(K, before)


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 1000), known=st.integers(0, 4))
def test_lcmd_takes_the_farthest_image_of_the_cluster_that_is_spread_most(seed, known):
    X, rated = image_features(embeddings(seed, 25)), list(range(known))
    chosen = list(largest_cluster_maximum_distance(X, 10, np.array(rated, dtype=int)))
    assert known or chosen[0] == np.argmax(np.linalg.norm(X - X.mean(0), axis=1))
    for step in range(0 if known else 1, 10):
        centres = rated + chosen[:step]
        distances = ((X[:, None] - X[centres]) ** 2).sum(-1)
        nearest, distance = distances.argmin(1), distances.min(1)
        largest = np.argmax([distance[nearest == place].sum() for place in range(len(centres))])
        assert nearest[chosen[step]] == largest
        assert distance[chosen[step]] == pytest.approx(distance[nearest == largest].max())


@settings(max_examples=20, deadline=None)
@given(method=st.sampled_from(COVERING), seed=st.integers(0, 1000))
def test_order_of_the_images_does_not_matter(method, seed):
    X = embeddings(seed)
    order = np.random.default_rng(seed).permutation(len(X))
    moved = order[choose_images(X[order], 8, method=method, rated=np.flatnonzero(order < 3))]
    chosen = choose_images(X, 8, method=method, rated=[0, 1, 2])
    if method == "facility":  # two images that cover each other only are a tie
        K = similarity_of_directions(image_features(X), 0).held
        assert coverage(K, [0, 1, 2, *moved]) == pytest.approx(coverage(K, [0, 1, 2, *chosen]), rel=1e-9)
    else:
        np.testing.assert_array_equal(moved, chosen)


@pytest.mark.parametrize("method", COVERING)
def test_each_of_several_clusters_is_covered_once(method):
    X, cluster = clusters([9, 7, 5, 4, 3])
    assert sorted(cluster[choose_images(X, 5, method=method)]) == [0, 1, 2, 3, 4]


@pytest.mark.parametrize("method", COVERING)
def test_a_cluster_with_a_rated_image_is_covered_already(method):
    X, cluster = clusters([9, 7, 5, 4, 3])
    assert sorted(cluster[choose_images(X, 4, method=method, rated=[0])]) == [1, 2, 3, 4]


@pytest.mark.parametrize("method", COVERING)
def test_duplicates_are_not_chosen_before_all_others_are_covered(method):
    X = np.repeat(embeddings(3, 6), [4, 1, 2, 1, 1, 3], axis=0)
    first = choose_images(X, 6, method=method)
    assert len(np.unique(X[first], axis=0)) == 6


@pytest.mark.parametrize("method", COVERING)
def test_landmarks_cover_the_same_clusters_as_all_pairs(method, monkeypatch):
    X, cluster = clusters([60, 50, 40, 30, 20])
    rated = np.flatnonzero(cluster == 2)[:3]
    exact = choose_images(X, 4, method=method, rated=rated)
    few_landmarks(monkeypatch, exact=100, landmarks=80)
    assert sorted(cluster[choose_images(X, 4, method=method, rated=rated)]) == sorted(cluster[exact]) == [0, 1, 3, 4]


@pytest.mark.parametrize("method", COVERING)
def test_all_images_as_landmarks_give_the_exact_choice(method, monkeypatch):
    X = embeddings(5, 60)
    exact = choose_images(X, 10, method=method, rated=[4, 9])
    few_landmarks(monkeypatch, exact=10, landmarks=60)
    np.testing.assert_array_equal(choose_images(X, 10, method=method, rated=[4, 9]), exact)


def test_more_rated_images_than_landmarks(monkeypatch):
    X, cluster = clusters([60, 50, 40])
    few_landmarks(monkeypatch, exact=100, landmarks=20)
    chosen = choose_images(X, 30, method="v_optimal", rated=np.flatnonzero(cluster == 0))
    assert 0 not in cluster[chosen]


@pytest.mark.parametrize("method", COVERING)
def test_a_constant_added_to_all_images_of_a_content_changes_nothing(method):
    X, contents = embeddings(7, 40), np.repeat(np.arange(8), 5)
    moved = X + np.random.default_rng(8).normal(0, 5, (8, 8))[contents].astype(np.float32)
    expected = choose_images(X, 10, method=method, contents=contents)
    np.testing.assert_array_equal(choose_images(moved, 10, method=method, contents=contents), expected)
    assert not np.array_equal(choose_images(moved, 10, method=method), expected)


def test_distortions_are_covered_where_contents_are_known():
    random = np.random.default_rng(0)
    content, distortion = np.divmod(np.arange(40), 4)
    X = random.normal(0, 10, (10, 16))[content] + random.normal(0, 1, (4, 16))[distortion]
    chosen = choose_images(X + random.normal(0, 0.01, X.shape), 4, contents=content)
    assert sorted(distortion[chosen]) == [0, 1, 2, 3]


def test_images_alone_with_their_content_are_centred_together():
    X = embeddings(2, 20)
    alone = image_features(X, np.arange(20))
    np.testing.assert_array_equal(alone, image_features(X))
    np.testing.assert_array_equal(alone, image_features(X, np.full(20, -1)))


def test_a_dense_middle_does_not_draw_the_choice_of_facility_location():
    random = np.random.default_rng(0)
    ends = np.repeat(np.eye(4) * 6, 5, axis=0) + random.normal(0, 0.1, (20, 4))
    X = np.concatenate([random.normal(0, 1, (200, 4)), ends, -ends])
    chosen = choose_images(X, 8, method="facility")
    directions = image_features(X)[chosen]
    directions /= np.linalg.norm(directions, axis=1, keepdims=True)
    assert (directions @ directions.T - np.eye(8)).max() < 0.75  # no two look the same way


def test_features_are_standardised_and_constant_columns_ignored():
    X = embeddings(4, 50)
    scaled = np.concatenate([X * np.logspace(-3, 3, 8) + 5, np.full((50, 2), 0.1)], axis=1)
    np.testing.assert_allclose(np.abs(image_features(scaled))[:, :8], np.abs(image_features(X)), atol=1e-6)


def test_at_most_twenty_components_are_kept():
    assert image_features(embeddings(0, 60, 33)).shape == (60, 20)


@pytest.mark.parametrize("method", COVERING)
def test_equal_images_can_be_chosen(method):
    assert list(choose_images(np.ones((5, 3)), 5, method=method)) == [0, 1, 2, 3, 4]


def test_random_choice_depends_on_its_seed():
    X = embeddings(0)
    first, second = (choose_images(X, 10, method="random", seed=seed) for seed in (0, 1))
    assert list(first) != list(second) and list(first) == list(choose_images(X, 10, method="random", seed=0))


@pytest.mark.parametrize("count", [0, 28])
def test_impossible_count_is_refused(count):
    with pytest.raises(InputError, match="expected 1 to 27, the number of images that are not rated"):
        choose_images(embeddings(0), count, rated=[0, 5, 7])


def test_embeddings_that_are_not_finite_are_refused():
    with pytest.raises(InputError, match="NaN, infinite"):
        choose_images(np.full((4, 2), np.nan), 1)


def test_unknown_method_is_refused():
    with pytest.raises(InputError, match="did you mean 'facility'"):
        choose_images(embeddings(0), 1, method="facilty")


def test_registry_names_all_choosers():
    assert set(CHOOSERS) == set(METHODS)
