import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pytest

from iqadistill.errors import InputError
from iqadistill.selection import SELECTORS, ResidualSelector, rank_patches
from iqadistill.table_schemas import SCHEMAS
from iqadistill.tables import as_table, embeddings_table


def embeddings(counts, seed=0, shuffle=False):
    rng = np.random.default_rng(seed)
    image_id = np.repeat(list(counts), list(counts.values()))
    vectors = np.concatenate(
        [np.random.default_rng(len(name)).random((n, 16), dtype=np.float32) for name, n in counts.items()]
    )
    order = rng.permutation(len(image_id)) if shuffle else np.arange(len(image_id))
    return embeddings_table(order, image_id[order].tolist(), vectors[order])


COUNTS = {"a": 12, "bb": 20, "ccc": 15}


def create_selector(method):
    return SELECTORS[method]().create()


@pytest.mark.parametrize("method", ["residual", "random", "kcenter"])
def test_ranks_of_each_image_are_a_permutation(method):
    selection, trace = rank_patches(embeddings(COUNTS, shuffle=True), create_selector(method), seed=0)
    assert selection.schema == SCHEMAS["selection"] and trace.schema == SCHEMAS["selection_trace"]
    for image, n in COUNTS.items():
        ranks = selection.filter(pc.equal(selection["image_id"], image))["rank"].to_pylist()
        assert sorted(ranks) == list(range(n))


def test_table_holds_residuals_and_trace_of_the_selector():
    table = embeddings({"a": 12})
    selection, trace = rank_patches(table, ResidualSelector(), seed=0)
    fitted = ResidualSelector().fit(np.array(table["embedding"].to_pylist()))
    np.testing.assert_allclose(selection["residual"], fitted.residuals_, rtol=1e-6)
    np.testing.assert_array_equal(np.argsort(selection["rank"]), fitted.ranking_)
    np.testing.assert_allclose(trace["objective"], fitted.objective_)
    np.testing.assert_allclose(trace["gap"], fitted.gaps_, atol=1e-9)
    assert trace["iteration"].to_pylist() == list(range(1, fitted.n_iter_ + 1))


@pytest.mark.filterwarnings("ignore:solver .* stopped before its tolerance")
def test_published_trace_has_gap_in_last_row_only():
    _, trace = rank_patches(embeddings({"a": 12}), ResidualSelector(solver="published", max_iter=5), seed=0)
    gaps = trace["gap"].to_pylist()
    assert gaps[:-1] == [None] * 4 and gaps[-1] > 0


def test_selector_without_residuals_has_null_residuals_and_no_trace():
    selection, trace = rank_patches(embeddings(COUNTS), create_selector("random"), seed=0)
    assert selection["residual"].null_count == len(selection)
    assert len(trace) == 0


def test_random_ranks_depend_on_seed_and_image_only():
    ranks = {}
    for key, counts, seed in (("all", COUNTS, 1), ("alone", {"bb": 20}, 1), ("other seed", COUNTS, 2)):
        selection, _ = rank_patches(embeddings(counts), create_selector("random"), seed=seed)
        ranks[key] = selection.filter(pc.equal(selection["image_id"], "bb"))["rank"].to_pylist()
    assert ranks["all"] == ranks["alone"] != ranks["other seed"]
    selection, _ = rank_patches(embeddings({"a": 20, "bb": 20}), create_selector("random"), seed=1)
    assert selection["rank"][:20] != selection["rank"][20:]


@pytest.mark.parametrize("method", ["residual", "random", "herding"])
def test_residuals_do_not_depend_on_row_order(method):
    ordered, shuffled = (
        rank_patches(embeddings({"a": 12, "bb": 20}, shuffle=shuffle), create_selector(method), seed=0)[0]
        for shuffle in (False, True)
    )
    assert shuffled.num_rows == ordered.num_rows
    if method == "residual":
        one, other = (table.sort_by("patch_id")["residual"].to_numpy() for table in (ordered, shuffled))
        np.testing.assert_allclose(one, other, rtol=2e-2)  # within the solver's certified gap


def test_unusable_images_are_refused():
    few = embeddings({"fine": 12, "short": 7})
    with pytest.raises(InputError, match=r"short.* 7 .*n_components.* 10"):
        rank_patches(few, ResidualSelector(), seed=0)
    vectors = np.ones((12, 4), dtype=np.float32)
    vectors[3, 2] = np.nan
    broken = embeddings_table(np.arange(12), ["broken"] * 12, vectors)
    with pytest.raises(InputError, match=r"broken.*NaN"):
        rank_patches(broken, create_selector("random"), seed=0)


def test_empty_table_gives_empty_selection():
    selection, trace = rank_patches(embeddings(COUNTS).slice(0, 0), create_selector("random"), seed=0)
    assert isinstance(selection, pa.Table) and len(selection) == len(trace) == 0


def test_position_ranks_by_the_places_of_the_embedded_patches():
    table = embeddings({"a": 6}, shuffle=True)
    ids = table["patch_id"].to_pylist()
    patches = as_table(
        pd.DataFrame({"patch_id": range(6), "image_id": "a", "x": [0, 0, 40, 0, 90, 0], "y": 0, "size": 10}), "patches"
    )
    images = as_table(pd.DataFrame({"image_id": ["a"], "width": 100, "height": 50, "status": "ok"}), "images")
    selection, _ = rank_patches(table, create_selector("position"), seed=0, patches=patches, images=images)
    rank = dict(zip(selection["patch_id"].to_pylist(), selection["rank"].to_pylist(), strict=True))
    first_copy = min((0, 1, 3, 5), key=ids.index)
    assert [rank[2], rank[first_copy], rank[4]] == [0, 1, 2]
    with pytest.raises(InputError, match="patch table"):
        rank_patches(table, create_selector("position"), seed=0)
    with pytest.raises(InputError, match="patch 5 is missing"):
        rank_patches(table, create_selector("position"), seed=0, patches=patches.slice(0, 5), images=images)
