import numpy as np
import pandas as pd
import pytest

from iqadistill.figures.convergence import plot_convergence, stagnation_warnings
from iqadistill.figures.copies import copied_patches, kept_copies, plot_copies
from iqadistill.figures.duplicates import plot_duplicates
from iqadistill.figures.kept_patches import outline, plot_kept_patches
from iqadistill.figures.noise_failure import plot_noise_failure
from iqadistill.figures.overlap import expected_overlap, plot_overlap


def trace(image_id, objective, gap):
    return pd.DataFrame(
        {"image_id": image_id, "iteration": np.arange(1, len(objective) + 1), "objective": objective, "gap": gap}
    )


def test_excess_is_relative_to_the_best_solver_of_the_same_h():
    traces = {
        (5, "irls"): trace("a", [4.0, 2.0], [0.5, 1e-4]),
        (5, "published"): trace("a", [4.0, 3.0, 2.5], [np.nan, np.nan, 0.2]),
        (10, "irls"): trace("a", [9.0, 8.0], [0.5, 1e-4]),
    }
    _, table = plot_convergence(traces)
    published = table[(table.h == 5) & (table.solver == "published")]
    assert list(published.excess_median) == pytest.approx([1.0, 0.5, 0.25])
    assert table[table.h == 10].excess_median.iloc[0] == pytest.approx(1 / 8)


def test_images_that_have_stopped_keep_their_last_value():
    both = pd.concat([trace("a", [4.0, 1.0], [0.5, 1e-4]), trace("b", [4.0, 2.0, 1.0], [0.5, 0.2, 1e-4])])
    _, table = plot_convergence({(5, "irls"): both})
    assert table.gap_median.iloc[-1] == pytest.approx(1e-4)
    assert table.last_iteration.iloc[-1] == 2.5


def test_stagnation_is_distinguished_from_convergence():
    stagnating, converging = [3.0, 2.0] + [1.5] * 8, [3.0, 2.0] + [1.0] * 8
    both = pd.concat([trace("a", stagnating, [0.1] * 10), trace("b", converging, [0.1] * 9 + [1e-5])])
    figure, table = plot_convergence({(5, "published"): both})
    assert (table.converged.iloc[-1], table.stagnated.iloc[-1]) == (0.5, 0.5)
    (warning,) = stagnation_warnings(table)
    assert all(value in warning for value in ("h = 5", "published", "50% of 2 images"))
    label = figure.legends[0].get_texts()[0].get_text()
    assert "50% converged" in label and "50% stagnated" in label


def test_objective_that_changes_within_the_window_has_not_stagnated():
    changing = np.linspace(3.0, 2.0, 10)
    _, table = plot_convergence({(5, "irls"): trace("a", changing, [0.1] * 10)})
    assert table.stagnated.iloc[-1] == 0


def test_converged_images_raise_no_warning():
    _, table = plot_convergence({(5, "irls"): trace("a", [2.0, 1.0], [0.1, 1e-4])})
    assert stagnation_warnings(table) == []


def test_pure_noise_has_flat_eigenvalues_and_equal_residuals():
    spectra = {"clean": [np.array([8.0, 1.0, 1.0])] * 3, "pure noise": [np.ones(3), np.ones(2)]}
    residuals = {"clean": [np.array([1.0, 3.0])] * 3, "pure noise": [np.ones(3), np.ones(2)]}
    _, table = plot_noise_failure(spectra, residuals)
    value = table.set_index(["group", "quantity", "index"])["median"]
    assert value["clean", "eigenvalue", 1] == pytest.approx(0.8)
    assert value["pure noise", "eigenvalue", 1] == pytest.approx((1 / 3 + 1 / 2) / 2)
    assert value["clean", "residual_variation", 0] == pytest.approx(0.5)
    assert value["pure noise", "residual_variation", 0] == 0
    assert value["clean", "components_90", 0] == 2


def test_duplicates_show_the_largest_difference():
    residual, rank = np.array([0.1, 0.5, 0.3]), np.array([0, 4, 2])
    figure, table = plot_duplicates(residual, residual + np.array([0, 0.25, 0]), rank, rank + 1)
    assert table.residual_difference.max() == pytest.approx(0.25)
    residual_title, rank_title = (axes.get_title() for axes in figure.axes)
    assert "residual" in residual_title and residual_title.endswith(": 0.25")
    assert "rank" in rank_title and rank_title.endswith(": 1")


class FirstRows:
    """Ranks patches in the order of the embeddings' first column."""

    def fit_many(self, embeddings, random_states):
        return [type("Fitted", (), {"ranking_": np.argsort(X[:, 0], kind="stable")}) for X in embeddings]


def test_a_fifth_of_twenty_patches_is_copied_three_times():
    vectors = np.arange(40.0)[:, None]
    pool, patch = copied_patches(vectors, seed=0)
    assert len(pool) == 20 + 4 * 3
    assert list(np.bincount(patch)) == [4] * 4 + [1] * 16
    assert all(np.ptp(pool[patch == number]) == 0 for number in range(20))


def test_copies_are_counted_among_the_kept_patches():
    patch = np.array([0, 1, 2, 3, 0, 0])  # patch 0 occurs three times
    prefers = (np.array([0.0, 3, 4, 5, 1, 2])[:, None], patch)
    avoids = (np.array([3.0, 0, 1, 2, 4, 5])[:, None], patch)
    for pool, copied, distinct in ((prefers, 1.0, 1 / 3), (avoids, 0.0, 1.0)):
        figure, table = plot_copies(kept_copies({"residual": FirstRows()}, [pool], [0.5, 1.0]))
        half, everything = table.to_dict("records")
        assert (half["copied"], half["distinct"]) == pytest.approx((copied, distinct))
        assert everything["copied"] == everything["copied_before"] == half["copied_before"] == 0.5
        assert everything["distinct"] == everything["most_distinct"] == pytest.approx(4 / 6)
        assert len(figure.axes) == 2


def test_overlap_of_equal_and_opposite_rankings(selection_frame):
    up, down = np.arange(10), np.arange(10)[::-1]
    selections = {
        "residual": selection_frame({"a": up, "b": up}),
        "kcenter": selection_frame({"a": up, "b": down}),
        "highest_residual": selection_frame({"a": down, "b": down}),
    }
    _, table = plot_overlap(selections, 0.5)
    value = table.set_index(["selector", "other_selector"]).overlap
    assert value["residual", "residual"] == 1
    assert value["residual", "highest_residual"] == 0
    assert value["residual", "kcenter"] == 0.5


@pytest.mark.parametrize(("patches", "kept"), [(10, 4), (10, 9), (7, 1)])
def test_expected_overlap_equals_the_mean_of_random_selections(patches, kept):
    generator = np.random.default_rng(0)
    shares = []
    for _ in range(4000):
        first, second = (set(generator.choice(patches, kept, replace=False)) for _ in range(2))
        shares.append(len(first & second) / len(first | second))
    assert expected_overlap(patches, kept) == pytest.approx(np.mean(shares), abs=0.01)


def viewports(image_id, yaws):
    n = len(yaws)
    return pd.DataFrame(
        {"patch_id": np.arange(n), "image_id": image_id, "order": np.arange(n), "x": np.nan, "y": np.nan}
        | {"yaw": yaws, "pitch": 0.0, "fov": np.pi / 3, "size": 64}
    )


def test_kept_patches_have_the_lowest_ranks(selection_frame):
    image = np.zeros((32, 64, 3), dtype=np.uint8)
    order = np.array([3, 1, 0, 2, 4])
    _, table = plot_kept_patches(
        {"a": image}, viewports("a", np.linspace(-3, 3, 5)), {"residual": selection_frame({"a": order})}, 0.4
    )
    assert set(table.patch_id[table.kept]) == {3, 1}


def test_outline_of_a_viewport_is_cut_at_the_seam():
    patch = viewports("a", [np.pi - 0.01]).iloc[0]
    pieces = outline(patch, 200, 100)
    assert len(pieces) >= 2
    assert all(np.abs(np.diff(piece[:, 0])).max() < 100 for piece in pieces)
    assert {0.0, 200.0} <= {x for piece in pieces for x in piece[[0, -1], 0]}


def test_outline_of_a_viewport_away_from_the_seam_is_one_closed_line():
    (piece,) = outline(viewports("a", [0.0]).iloc[0], 200, 100)
    assert piece[0] == pytest.approx(piece[-1])
    assert piece[:, 0].min() == pytest.approx(200 * (0.5 - 1 / 12), abs=1)
    assert piece[:, 0].max() == pytest.approx(200 * (0.5 + 1 / 12), abs=1)


def test_outline_of_a_crop_is_a_rectangle_that_wraps_around_a_panorama():
    crop = pd.Series({"x": 10, "y": 20, "size": 30, "yaw": np.nan, "pitch": np.nan, "fov": np.nan})
    (piece,) = outline(crop, 200, 100)
    assert piece.tolist() == [[10, 20], [40, 20], [40, 50], [10, 50], [10, 20]]
    wrapped = outline(pd.Series({**crop, "x": 190}), 200, 100)
    assert all(((piece[:, 0] >= 0) & (piece[:, 0] <= 200)).all() for piece in wrapped)
    assert all(np.abs(np.diff(piece[:, 0])).max() < 100 for piece in wrapped)
