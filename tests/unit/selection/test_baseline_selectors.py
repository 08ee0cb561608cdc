import subprocess
import sys

import numpy as np
import pytest

from iqadistill.errors import InputError
from iqadistill.registry import Registry
from iqadistill.selection import (
    FacilityLocationSelector,
    HerdingSelector,
    KCenterSelector,
    RandomSelector,
    keep_count,
    similarity_matrix,
)
from iqadistill.selection.registry import SELECTORS
from iqadistill.selection.settings import SelectorSettings

METHODS = ["residual", "random", "kcenter", "herding", "facility", "highest_residual"]


def features(n=30, d=20, seed=0):
    return np.random.default_rng(seed).random((n, d))


@pytest.mark.parametrize("method", METHODS)
def test_every_selector_returns_a_permutation_and_repeats_itself(method):
    one, again = (
        SELECTORS.create({"method": method}).create().fit(features()),
        SELECTORS.create({"method": method}).create().fit(features()),
    )
    assert sorted(one.ranking_) == list(range(30))
    np.testing.assert_array_equal(one.ranking_, again.ranking_)
    np.testing.assert_array_equal(one.select(1.0), np.arange(30))
    kept = one.select(0.5)
    assert len(kept) == 15 and (np.diff(kept) > 0).all()
    assert np.isnan(one.residuals_).all() == (method not in ("residual", "highest_residual"))


@pytest.mark.parametrize("method", METHODS)
def test_many_equals_one_by_one(method):
    images = [features(n, seed=n) for n in (30, 15, 22)]
    for X, one in zip(images, SELECTORS.create({"method": method}).create().fit_many(images), strict=True):
        np.testing.assert_array_equal(one.ranking_, SELECTORS.create({"method": method}).create().fit(X).ranking_)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize(
    ("X", "words"),
    [
        (np.full((12, 3), np.nan), "embeddings.*NaN"),
        (np.full((12, 3), np.inf), "embeddings.*infinite"),
        (np.ones(12), r"shape \(12,\)"),
        (np.ones((0, 3)), r"shape \(0, 3\)"),
    ],
)
def test_unusable_embeddings_are_refused(method, X, words):
    with pytest.raises(InputError, match=words):
        SELECTORS.create({"method": method}).create().fit(X)


def test_random_depends_on_the_seed_alone():
    first, same, other = (RandomSelector(seed).fit(features(seed=i)).ranking_ for i, seed in enumerate((5, 5, 6)))
    np.testing.assert_array_equal(first, same)
    assert not np.array_equal(first, other)


def test_kcenter_starts_at_the_mean_and_goes_to_the_far_ends():
    X = np.array([[0.0], [0.1], [5.2], [10.0], [9.9], [5.0]])
    np.testing.assert_array_equal(KCenterSelector().fit(X).ranking_[:3], [5, 0, 3])


def test_kcenter_takes_one_patch_of_each_cluster_first():
    centres = np.eye(5) * 100
    X = (centres[:, None] + np.random.default_rng(0).random((5, 6, 5))).reshape(30, 5)
    assert set(KCenterSelector().fit(X).ranking_[:5] // 6) == set(range(5))


def test_facility_location_gains_are_greedy():
    X = features()
    S = similarity_matrix(X, gamma="scale_free").numpy()
    order = FacilityLocationSelector().fit(X).ranking_
    cover = [S[order[:k]].max(0).sum() for k in range(1, 31)]
    for k in range(1, 6):
        rest = np.setdiff1d(np.arange(30), order[:k])
        best = max(np.maximum(S[order[:k]].max(0), S[j]).sum() for j in rest)
        assert cover[k] == pytest.approx(best)


def test_herding_follows_the_kernel_mean_closer_than_random():
    X = features(60)
    S = similarity_matrix(X, gamma="scale_free").numpy()

    def discrepancy(chosen):
        return S.mean() - 2 * S[chosen].mean() + S[np.ix_(chosen, chosen)].mean()

    herded = discrepancy(HerdingSelector().fit(X).ranking_[:12])
    assert herded < min(discrepancy(RandomSelector(seed).fit(X).ranking_[:12]) for seed in range(20))


@pytest.mark.parametrize(("n", "keep", "count"), [(180, 0.4, 72), (3, 0.1, 1), (5, 0.5, 2), (7, 0.5, 4), (9, 1.0, 9)])
def test_keep_count_rounds_half_to_even_and_keeps_at_least_one(n, keep, count):
    assert keep_count(n, keep) == count


@pytest.mark.parametrize("keep", [0, -0.1, 1.01, float("nan")])
def test_keep_rates_outside_zero_to_one_are_refused(keep):
    with pytest.raises(InputError, match="keep rate"):
        keep_count(10, keep)


def test_unknown_methods_and_settings_are_named():
    with pytest.raises(InputError, match=r"'greedy'.*facility"):
        SELECTORS.create({"method": "greedy"})
    with pytest.raises(InputError, match=r"kcenter\.alpha: unknown key"):
        SELECTORS.create({"method": "kcenter", "alpha": 1}, "kcenter")


def test_a_selector_is_one_file(tmp_path, monkeypatch):
    """A file that is put into the folder of selectors is a selector, found by its name."""
    folder = tmp_path / "toy_selectors"
    folder.mkdir()
    (folder / "__init__.py").touch()
    (folder / "norm.py").write_text(
        """
from typing import ClassVar, Literal

import numpy as np

from iqadistill.selection.base import Selector, ranked
from iqadistill.selection.settings import SelectorSettings


class NormSettings(SelectorSettings):
    label: ClassVar[str] = "largest norm"
    colour: ClassVar[str] = "#332288"
    marker: ClassVar[str] = "P"

    method: Literal["norm"] = "norm"

    def create(self, device="cpu"):
        return NormSelector()


class NormSelector(Selector):
    def _fit(self, matrices, seeds):
        return [ranked(np.argsort(-np.linalg.norm(X, axis=1), kind="stable")) for X in matrices]
"""
    )
    monkeypatch.syspath_prepend(tmp_path)
    registry = Registry("toy_selectors", SelectorSettings, key="method", noun="selector")
    X = np.array([[1.0, 0.0], [3.0, 0.0], [2.0, 0.0]])
    assert registry.create({"method": "norm"}).create().fit(X).ranking_.tolist() == [1, 2, 0]


def test_settings_and_random_selection_need_no_torch():
    code = (
        "import sys; from iqadistill.selection.ranking import rank_patches; from iqadistill.selection.registry import"
        " SELECTORS; list(SELECTORS.values()); SELECTORS.create({'method': 'random'}).create(); print('torch' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "False\n"
