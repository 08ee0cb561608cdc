"""Choice among more images than are compared pair by pair."""

import numpy as np
import pytest

from iqadistill.choosing import CHOOSERS, choose_images, features, similarity
from iqadistill.choosing.choosers import facility, v_optimal
from iqadistill.choosing.features import image_features
from iqadistill.embedding_blocks import EmbeddingFile, HeldEmbeddings
from iqadistill.errors import InputError
from iqadistill.selection import joint
from iqadistill.tables import embeddings_table, write_table

COVERING = ["facility", "v_optimal", "lcmd"]
NONE = np.array([], dtype=np.int64)


def embeddings(n, d=24, seed=0):
    """Embeddings of images in clusters of different sizes."""
    random = np.random.default_rng(seed)
    cluster = np.minimum(random.geometric(0.1, n), 30)
    return (random.normal(0, 1, (31, d))[cluster] + random.normal(0, 0.5, (n, d))).astype(np.float16)


def many(monkeypatch, landmarks):
    """Take every number of images for many, and so many landmarks."""
    monkeypatch.setattr(similarity, "EXACT", 0)
    monkeypatch.setattr(features, "EXACT", 0)
    monkeypatch.setattr(facility, "LANDMARKS", landmarks)
    monkeypatch.setattr(facility, "SIMILARITIES", 0)
    monkeypatch.setattr(v_optimal, "LANDMARKS", landmarks)


class CountedEmbeddings(HeldEmbeddings):
    """Embeddings that count their passes, and give no block while the last one is still in use."""

    passes, last = 0, None

    def blocks(self):
        """The blocks, each a copy that is overwritten before the next."""
        self.passes += 1
        for block in super().blocks():
            lent = block.copy()
            yield lent
            lent[:] = np.nan  # whoever kept it has lost it


@pytest.mark.parametrize("method", COVERING)
@pytest.mark.parametrize("contents", [None, np.arange(400) % 40])
def test_the_choice_does_not_depend_on_the_blocks_and_no_block_is_kept(monkeypatch, method, contents):
    many(monkeypatch, 100)
    X = embeddings(400)
    expected = choose_images(HeldEmbeddings(X), 15, method=method, contents=contents)
    for rows in (1, 33, 400):
        source = CountedEmbeddings(X, rows)
        np.testing.assert_array_equal(choose_images(source, 15, method=method, contents=contents), expected)
        assert source.passes == 3


@pytest.mark.parametrize("method", [*COVERING, "residual"])
def test_files_that_are_read_at_every_pass_give_the_same_choice(monkeypatch, tmp_path, method):
    many(monkeypatch, 100)
    monkeypatch.setattr(joint, "EXACT", 0)
    X = embeddings(300)
    write_table(embeddings_table(np.arange(300), list(map(str, range(300))), X), tmp_path / "x.parquet", "embeddings")
    file = EmbeddingFile(tmp_path / "x.parquet", 64)
    found = choose_images(file, 20, method=method, rated=[3, 5])
    np.testing.assert_array_equal(found, choose_images(X, 20, method=method, rated=[3, 5]))


def test_single_precision_gives_the_features_of_double_precision(monkeypatch):
    X = embeddings(300) * np.logspace(-1, 1, 24) + 20
    exact = image_features(X)
    many(monkeypatch, 100)
    found = image_features(X.astype(np.float32))
    np.testing.assert_allclose(np.abs(found), np.abs(exact), atol=2e-3)


def test_columns_that_differ_by_rounding_are_ignored_in_single_precision(monkeypatch):
    many(monkeypatch, 100)
    X = embeddings(300).astype(np.float32)
    with_constant = np.hstack([X, np.full((300, 3), 1000.1, np.float32)])
    np.testing.assert_allclose(np.abs(image_features(with_constant)), np.abs(image_features(X)), atol=1e-3)


@pytest.mark.parametrize("method", COVERING)
def test_landmarks_choose_nearly_as_well_as_all_pairs(monkeypatch, method):
    X = embeddings(2000)
    exact = choose_images(X, 40, method=method)
    K = similarity.rbf_similarity(image_features(X), 0, landmarks=1).held
    many(monkeypatch, 600)
    found = choose_images(X, 40, method=method)

    def left(chosen):
        known = K[np.ix_(chosen, chosen)] + v_optimal.NOISE * np.eye(len(chosen))
        return 2000 - np.sum(K[:, chosen].T * np.linalg.solve(known, K[chosen]))

    drawn = np.mean([left(np.random.default_rng(draw).permutation(2000)[:40]) for draw in range(5)])
    # at least .9 of what is gained on random images by comparing all pairs
    assert left(found) - left(exact) <= 0.1 * max(drawn - left(exact), 0.02 * drawn)


def test_the_factor_of_all_images_is_the_similarity(monkeypatch):
    X = image_features(embeddings(120))
    K = similarity.rbf_similarity(X, 0, landmarks=120).held
    many(monkeypatch, 120)
    F = v_optimal.similarity_factor(similarity.rbf_similarity(X, 0, landmarks=120))
    np.testing.assert_allclose(F @ F.T, K, atol=1e-4)
    for rated in (NONE, np.arange(5)):
        np.testing.assert_array_equal(
            v_optimal.v_optimal_by_factor(F, 20, rated), v_optimal.v_optimal_design(K, 20, rated)
        )


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_the_factor_and_the_rated_images_stay_as_they_are(dtype):
    F = np.random.default_rng(0).normal(0, 0.2, (60, 9)).astype(dtype)
    rated = np.arange(5)
    F.flags.writeable = rated.flags.writeable = False
    expected = v_optimal.v_optimal_by_factor(F, 20, rated)
    assert expected.base is None
    np.testing.assert_array_equal(v_optimal.v_optimal_by_factor(F, 20, rated), expected)


@pytest.mark.parametrize("method", COVERING)
@pytest.mark.parametrize("exponent", [-120, -60, 60, 120])
@pytest.mark.parametrize("exact", [True, False])
def test_the_choice_does_not_depend_on_the_unit_of_the_embeddings(monkeypatch, method, exponent, exact):
    X = embeddings(300).astype(np.float32)
    if not exact:
        many(monkeypatch, 100)
    expected = choose_images(X, 10, method=method, rated=[7])
    np.testing.assert_array_equal(choose_images(np.ldexp(X, exponent), 10, method=method, rated=[7]), expected)


@pytest.mark.parametrize(("n", "expected"), [(200, 200), (400, 200), (800, 100), (1600, 100)])
def test_fewer_images_have_more_landmarks_in_facility_location(monkeypatch, n, expected):
    many(monkeypatch, 100)
    monkeypatch.setattr(facility, "SIMILARITIES", 8e4)
    monkeypatch.setattr(similarity, "COMPARED", 150)
    found = facility.similarity_of_directions(np.random.default_rng(0).normal(0, 1, (n, 5)), 0)
    assert len(found.targets) == expected and np.all(np.diff(found.targets) > 0)
    assert found.width == pytest.approx(facility.WIDTHS * 2, rel=0.15)  # squared distance of unrelated directions


@pytest.mark.parametrize("count", [100, 500])
def test_facility_location_does_not_choose_landmarks_for_being_landmarks(monkeypatch, count):
    X = image_features(embeddings(600))
    exact = facility.similarity_of_directions(X, 0)
    many(monkeypatch, 100)
    by_landmarks = facility.similarity_of_directions(X, 0)
    chosen = facility.facility_location(by_landmarks, count, NONE)
    drawn = np.random.default_rng(1).permutation(600)[:count]
    best, found, random = (
        600 - exact.held[:, some].max(1).sum()
        for some in (facility.facility_location(exact, count, NONE), chosen, drawn)
    )
    assert np.isin(by_landmarks.targets, chosen).mean() < 1.2 * count / 600
    assert found - best < 0.3 * (random - best)


def test_an_embedding_that_is_not_finite_is_named_by_its_row():
    X = embeddings(50)
    X[41, 3] = np.inf
    with pytest.raises(InputError, match="row 41 holds NaN, infinite or huge"):
        image_features(HeldEmbeddings(X, 7))


def test_every_chooser_says_what_it_takes():
    for name in CHOOSERS:
        assert CHOOSERS[name].image_bytes > 0 and CHOOSERS[name].pick_seconds >= 0
