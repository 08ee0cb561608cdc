import warnings

import numpy as np
import pytest
from threadpoolctl import threadpool_limits

from iqadistill.errors import InputError
from iqadistill.selection import HighestResidualSelector, ResidualSelector, spectral_target
from iqadistill.selection.selectors.residual import ResidualSettings

SOLVERS = ["irls", "published"]
pytestmark = pytest.mark.filterwarnings("ignore:solver .* stopped before its tolerance")


def features(n=40, d=150, seed=0):
    rng = np.random.default_rng(seed)
    return np.maximum(0, 0.5 + 0.4 * rng.standard_normal((n, 6)) @ rng.standard_normal((6, d)) + rng.random((n, d)))


@pytest.mark.parametrize("solver", SOLVERS)
@pytest.mark.parametrize("gamma", ["published", "scale_free"])
@pytest.mark.parametrize("metric", ["euclidean", "manhattan", "mahalanobis"])
def test_objective_never_increases_and_ranking_is_a_permutation(solver, gamma, metric):
    fitted = ResidualSelector(solver=solver, gamma=gamma, metric=metric).fit(features())
    steps = np.diff(fitted.objective_)
    assert len(steps) and (steps <= 1e-7 * fitted.objective_[0]).all()
    assert sorted(fitted.ranking_) == list(range(40))
    assert fitted.coef_.shape == (150, 10)
    assert fitted.target_.shape == (40, 10)
    assert fitted.n_iter_ == len(fitted.objective_)


@pytest.mark.parametrize("beta", [0.001, 0.1, 10])
@pytest.mark.parametrize("alpha", [0.001, 0.1, 10])
@pytest.mark.parametrize("shape", [(40, 150), (60, 20)], ids=["fewer patches", "fewer features"])
def test_irls_reaches_duality_gap_for_all_weights(alpha, beta, shape):
    fitted = ResidualSelector(alpha=alpha, beta=beta, gamma="scale_free", metric="euclidean").fit(features(*shape))
    assert fitted.duality_gap_ <= 1e-3
    assert fitted.n_iter_ < 60


def test_irls_reaches_small_tolerance_in_few_iterations():
    fitted = ResidualSelector(tol=1e-8, gamma="scale_free").fit(features())
    assert fitted.duality_gap_ <= 1e-8
    assert fitted.n_iter_ < 40


@pytest.mark.parametrize("solver", SOLVERS)
def test_duplicates_have_identical_residuals_and_keep_order(solver):
    X = features(24)
    fitted = ResidualSelector(solver=solver, beta=0.02).fit(np.concatenate([X, X[::-1]]))
    np.testing.assert_array_equal(
        fitted.residuals_, np.concatenate([fitted.residuals_[:24], fitted.residuals_[23::-1]])
    )
    position = np.argsort(fitted.ranking_)
    assert all(position[47 - i] == position[i] + 1 for i in range(24))


@pytest.mark.parametrize(
    "settings", [{"solver": "irls"}, {"solver": "published"}, {"solver": "published", "tol": 1e-3}, {"init": "random"}]
)
def test_joint_fit_of_many_images_equals_separate_fits(settings):
    images = [scale * features(n, 90, n) for n, scale in ((40, 1), (12, 0.01), (33, 1), (40, 0.1), (25, 10))]
    selector = ResidualSelector(gamma="scale_free", **settings)
    together = selector.fit_many(images)
    assert not hasattr(selector, "ranking_")
    assert len({one.n_iter_ for one in together}) > 1 or settings == {"solver": "published"}
    for X, one in zip(images, together, strict=True):
        alone = ResidualSelector(gamma="scale_free", **settings).fit(X)
        if settings.get("solver") != "published":  # solved one by one: the same to the last bit
            np.testing.assert_array_equal(one.residuals_, alone.residuals_)
            np.testing.assert_array_equal(one.ranking_, alone.ranking_)
        np.testing.assert_allclose(one.residuals_, alone.residuals_, atol=1e-8)
        assert sorted(one.ranking_) == list(range(len(X)))
        assert (np.diff(alone.residuals_[one.ranking_]) >= -1e-7).all()
        np.testing.assert_allclose(one.coef_, alone.coef_, atol=1e-8)
        np.testing.assert_allclose(one.objective_, alone.objective_, rtol=1e-8)
        assert one.duality_gap_ == pytest.approx(alone.duality_gap_, abs=1e-7)


def test_images_of_different_feature_width_are_fitted_jointly():
    images = [features(20, 90), features(20, 60), features(15, 90)]
    for X, one in zip(images, ResidualSelector(n_components=5).fit_many(images), strict=True):
        np.testing.assert_allclose(one.residuals_, ResidualSelector(n_components=5).fit(X).residuals_, atol=1e-8)


def test_published_ranks_zero_residuals_by_their_unshrunk_norm():
    fitted = ResidualSelector(solver="published", max_iter=300, beta=0.5, tol=0).fit(features())
    p = np.linalg.norm(features() @ fitted.coef_ - fitted.target_, axis=1)
    assert (fitted.residuals_ <= 1e-8).sum() > 20
    assert (np.diff(p[fitted.ranking_]) >= -1e-9).all()


def test_irls_residuals_are_row_norms_of_the_misfit():
    X = features()
    fitted = ResidualSelector().fit(X)
    np.testing.assert_allclose(fitted.residuals_, np.linalg.norm(X @ fitted.coef_ - fitted.target_, axis=1))
    assert (np.diff(fitted.residuals_[fitted.ranking_]) >= 0).all()


def test_select_keeps_the_smallest_residuals():
    fitted = ResidualSelector().fit(features())
    np.testing.assert_array_equal(fitted.select(1.0), np.arange(40))
    kept = fitted.select(keep=0.4)
    assert len(kept) == 16
    assert fitted.residuals_[kept].max() <= np.delete(fitted.residuals_, kept).min()


def test_highest_residual_reverses_the_ranking():
    best, worst = ResidualSelector().fit(features()), HighestResidualSelector().fit(features())
    np.testing.assert_array_equal(best.ranking_[::-1], worst.ranking_)


def test_random_start_depends_on_seed():
    one, again, other = (
        ResidualSelector(init="random", max_iter=2, random_state=seed).fit(features()) for seed in (3, 3, 4)
    )
    np.testing.assert_array_equal(one.coef_, again.coef_)
    assert not np.allclose(one.coef_, other.coef_)


def test_float32_reaches_the_same_objective():
    exact, single = (
        ResidualSelector(dtype=dtype, gamma="scale_free").fit(features()) for dtype in ("float64", "float32")
    )
    assert single.coef_.dtype == np.float32
    assert single.objective_[-1] == pytest.approx(exact.objective_[-1], rel=2e-3)


@pytest.mark.filterwarnings("error:overflow")
@pytest.mark.parametrize("solver", SOLVERS)
@pytest.mark.parametrize("metric", ["euclidean", "manhattan", "mahalanobis"])
@pytest.mark.parametrize(("dtype", "largest"), [("float32", 1e12), ("float64", 1e140)])
def test_embeddings_up_to_the_limit_of_the_type_are_ranked_and_larger_ones_refused(solver, metric, dtype, largest):
    X = features() / features().max() * largest
    selector = ResidualSelector(solver=solver, metric=metric, gamma="scale_free", dtype=dtype, max_iter=3)
    assert np.isfinite(selector.fit(X).residuals_).all() and np.isfinite(selector.objective_).all()
    with pytest.raises(InputError, match=rf"huge values \(beyond 1e\+{round(np.log10(largest))} in {dtype}\)"):
        selector.fit(1.01 * X)


@pytest.mark.parametrize("similarity", ["rbf", "negative_distance"])
def test_identical_patches_are_ranked_by_index(similarity):
    fitted = ResidualSelector(n_components=2, similarity=similarity).fit(np.ones((6, 4)))
    np.testing.assert_array_equal(fitted.ranking_, np.arange(6))
    assert np.isfinite(fitted.residuals_).all()


def test_negative_distance_clips_negative_eigenvalues():
    S = np.array([[0.0, 2.0], [2.0, 0.0]])
    np.testing.assert_allclose(spectral_target(S, 2) @ spectral_target(S, 2).T, np.ones_like(S))


@pytest.mark.filterwarnings("always")
@pytest.mark.parametrize("solver", SOLVERS)
def test_early_stop_warns_with_gap(solver):
    with pytest.warns(UserWarning, match=rf"{solver} stopped .* gap"):
        ResidualSelector(solver=solver, max_iter=2).fit(features())


@pytest.mark.filterwarnings("always")
def test_stagnation_stops_early_with_a_warning():
    selector = ResidualSelector(tol=1e-30)
    with pytest.warns(UserWarning, match="stopped"):
        selector.fit(features())
    assert selector.n_iter_ < 200


def test_convergence_gives_no_warning():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        ResidualSelector().fit(features())


@pytest.mark.parametrize(
    ("settings", "match"),
    [
        ({"metric": "cosine"}, r"ResidualSelector\.metric.*cosine.*manhattan"),
        ({"gamma": 3}, "gamma.*scale_free"),
        ({"similarity": "dot"}, "similarity.*negative_distance"),
        ({"solver": "newton"}, "solver.*irls"),
        ({"dtype": "float16"}, "dtype.*float64"),
        ({"init": "ones"}, "init.*random"),
        ({"alpha": 0}, "alpha.*0"),
        ({"beta": -1}, "beta.*-1"),
        ({"n_components": 0}, "n_components.*0"),
        ({"max_iter": 0}, "max_iter.*0"),
        ({"tol": -1}, "tol.*-1"),
    ],
)
def test_invalid_settings_are_refused(settings, match):
    with pytest.raises(InputError, match=match):
        ResidualSelector(**settings)


def test_more_components_than_patches_are_refused():
    with pytest.raises(InputError, match=r"7 .*n_components.* 10"):
        ResidualSelector().fit(features(7))


def test_initial_weights_of_wrong_shape_are_refused():
    with pytest.raises(InputError, match=r"init.*\(3, 3\).*\(150, 10\)"):
        ResidualSelector(init=np.zeros((3, 3))).fit(features())


def test_arguments_may_be_positional_and_numpy_scalars():
    selector = ResidualSelector(np.int64(4), np.float32(0.5), 2)
    assert selector.settings.model_dump() == {
        **ResidualSettings().model_dump(),
        "n_components": 4,
        "alpha": 0.5,
        "beta": 2,
    }
    assert selector.fit(features()).coef_.shape == (150, 4)


def test_results_do_not_depend_on_thread_count():
    fitted = []
    for count in (1, 2, 3):
        with threadpool_limits(count):
            fitted.append(ResidualSelector(gamma="scale_free").fit(features(80, 400)))
    for other in fitted[1:]:
        np.testing.assert_array_equal(other.residuals_, fitted[0].residuals_)
        np.testing.assert_array_equal(other.coef_, fitted[0].coef_)
