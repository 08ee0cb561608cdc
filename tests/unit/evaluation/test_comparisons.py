import numpy as np
import pandas as pd
import pyarrow.compute as pc
import pytest
from scipy import stats

from iqadistill.errors import InputError
from iqadistill.evaluation import CrossDatasetTests, compare_variants, evaluate_predictions, holm, paired_test
from iqadistill.table_schemas import SCHEMAS
from iqadistill.tables import as_table

SIDES = ["sampler", "encoder", "selector", "keep", "student"]


@pytest.fixture
def compared(toy_results):
    """Metrics and comparisons of the small results."""
    toy = toy_results()
    metrics = evaluate_predictions(toy.predictions, toy.splits)
    return toy, metrics, compare_variants(metrics, toy.splits)


def pairs(table, family):
    rows = table.to_pandas().query("family == @family and metric == 'srcc'")
    right = rows[[f"other_{name}" for name in SIDES]]
    return set(
        zip(rows[SIDES].itertuples(index=False, name=None), right.itertuples(index=False, name=None), strict=True)
    )


def test_families_hold_the_expected_pairs(compared):
    _, _, table = compared
    assert table.schema.equals(SCHEMAS["comparisons"])
    erp, lat, other = ((*panel, "all", 1.0, "mlp") for panel in (("erp", "enc"), ("lat", "enc"), ("lat", "other")))

    def at(selector, keep):
        return ("lat", "enc", selector, keep, "mlp")

    label = ("", "", "", 1.0, "label_only")
    assert pairs(table, "against_random") == {(at("residual", keep), at("random", keep)) for keep in (0.2, 0.5)}
    assert pairs(table, "against_all") == {
        (at(selector, keep), lat) for selector in ("residual", "random") for keep in (0.2, 0.5)
    }
    assert pairs(table, "against_label_only") == {(erp, label), (lat, label), (other, label)}
    assert pairs(table, "samplers") == {(erp, lat)}
    assert pairs(table, "encoders") == {(lat, other)}
    assert set(table["metric"].to_pylist()) == {"srcc", "plcc"}


def test_each_pair_is_tested_on_the_same_splits(compared):
    _, metrics, table = compared
    row = table.to_pandas().query("family == 'against_random' and keep == 0.5 and metric == 'plcc'").iloc[0]
    frame = metrics.to_pandas().query("keep == 0.5").sort_values("split")
    residual, random = (frame[frame.selector == name].plcc for name in ("residual", "random"))
    expected = paired_test(residual, random, n_train=30, n_test=10)
    assert (row.delta, row.p, row.test) == (expected.delta, expected.p, "corrected_t")
    # the other keep rate is of the same family, and neither is rejected
    half = expected.error * stats.t.ppf(1 - 0.025 / 2, expected.degrees)
    assert (row.low, row.high) == pytest.approx((expected.delta - half, expected.delta + half))


def test_holm_correction_is_within_a_family_and_metric(compared):
    frame = compared[2].to_pandas()
    for _, family in frame.groupby(["family", "metric"]):
        np.testing.assert_allclose(family.p_holm, holm(family.p))


def test_corrected_p_of_a_selector_does_not_depend_on_other_sweeps(compared):
    toy, metrics, table = compared
    more = metrics.to_pandas()
    more = more[more.sampler == "lat"].assign(sampler="sp")
    wider = compare_variants(as_table(pd.concat([metrics.to_pandas(), more]), "metrics"), toy.splits).to_pandas()
    families = ["against_random", "against_all"]
    before, after = (f[f.family.isin(families) & (f.sampler == "lat")] for f in (table.to_pandas(), wider))
    assert len(wider[wider.family.isin(families)]) == 2 * len(before) > 0
    np.testing.assert_array_equal(before.p_holm, after.p_holm)


def test_different_splits_are_refused(compared):
    toy, metrics, _ = compared
    rows = pc.and_(pc.equal(metrics["selector"], "random"), pc.equal(metrics["split"], 3))
    with pytest.raises(InputError, match=r"metrics: .*'residual'.*'random'"):
        compare_variants(metrics.filter(pc.invert(rows)), toy.splits)
    with pytest.raises(InputError, match=r"splits: .*'toy'"):
        compare_variants(metrics, {})


def test_students_are_compared_on_the_splits_that_both_have(compared):
    toy, metrics, _ = compared
    frame = metrics.to_pandas()
    mlp = frame[(frame.selector == "all") & (frame.sampler == "erp")]
    deep = mlp[mlp.split < 3].assign(student="deep", srcc=mlp.srcc - 0.1)
    table = compare_variants(as_table(pd.concat([frame, deep]), "metrics"), toy.splits).to_pandas()
    compared_deep = table[(table.student == "deep") & (table.metric == "srcc")].set_index("family")
    label = frame[(frame.student == "label_only") & (frame.split < 3)].srcc.to_numpy()
    assert compared_deep.delta["against_label_only"] == pytest.approx((deep.srcc.to_numpy() - label).mean())
    assert compared_deep.delta["students"] == pytest.approx(-0.1)


def test_students_on_whole_images_are_compared_with_those_on_every_sampler_and_encoder(compared):
    toy, metrics, _ = compared
    frame = metrics.to_pandas()
    mlp = frame[(frame.selector == "all") & (frame.sampler == "erp")]
    whole = mlp.assign(sampler="", encoder="", selector="")
    named = [whole.assign(student=name) for name in ("brisque", "niqe", "tool")]
    named[2][["plcc", "mapping"]] = np.nan, None  # no predictions for training images
    both = as_table(pd.concat([frame, *named]), "metrics")
    table = compare_variants(both, toy.splits)
    brisque, niqe, tool = (("", "", "", 1.0, name) for name in ("brisque", "niqe", "tool"))
    students = [(*panel, "all", 1.0, "mlp") for panel in (("erp", "enc"), ("lat", "enc"), ("lat", "other"))]
    assert pairs(table, "students") == {
        *((one, mlp) for one in (brisque, niqe, tool) for mlp in students),
        *((brisque, niqe), (brisque, tool), (niqe, tool)),
    }
    assert {one for one, _ in pairs(table, "against_label_only")} == {*students, brisque, niqe, tool}
    with_plcc = table.to_pandas().query("metric == 'plcc'")
    assert "tool" not in {*with_plcc.student, *with_plcc.other_student}
    fewer = compare_variants(both, toy.splits, untested=[("toy", "tool"), ("other", "niqe")])
    assert {name for pair in pairs(fewer, "students") for name in (pair[0][-1], pair[1][-1])} == {
        "mlp",
        "brisque",
        "niqe",
    }


def test_single_variant_has_no_comparisons(compared):
    toy, metrics, _ = compared
    single = metrics.filter(pc.equal(metrics["selector"], "random"))
    table = compare_variants(single, toy.splits)
    assert len(table) == 0
    assert table.schema.equals(SCHEMAS["comparisons"])


def test_pairs_on_another_dataset_have_an_interval_over_contents_and_no_p(cross_dataset):
    toy, metrics = cross_dataset
    # student c has fewer trainings, and is compared on the splits that both have
    rows = pc.and_(pc.equal(metrics["student"], "c"), pc.equal(metrics["split"], 3))
    metrics = metrics.filter(pc.invert(rows))
    tests = CrossDatasetTests(toy.predictions, toy.splits, toy.tables, draws=200)
    table = compare_variants(metrics, toy.splits, cross_dataset=tests).to_pandas()
    away, home = table[table.dataset == "other"], table[table.dataset == "toy"]
    assert len(away) == len(home) == 6
    assert home.p_holm.notna().all() and set(home.test) == {"corrected_t"}
    assert away[["p", "p_holm"]].isna().all(axis=None) and set(away.test) == {"contents"}
    assert (away.low < away.delta).all() and (away.delta < away.high).all()
    by_split = metrics.to_pandas().query("dataset == 'other'").set_index("split").groupby("student").plcc
    one = away.query("metric == 'plcc' and student == 'a' and other_student == 'b'").iloc[0]
    assert one.delta == pytest.approx((by_split.get_group("a") - by_split.get_group("b")).mean())


def test_difference_over_contents_resamples_both_variants_together(cross_dataset):
    toy, _ = cross_dataset
    frame = toy.predictions.to_pandas()
    twin = frame[frame.student == "a"].assign(student="twin")
    twin["prediction"] += 0.02 * (twin.score > 0.5)
    predictions = as_table(pd.concat([frame, twin]), "predictions")
    tests = CrossDatasetTests(predictions, toy.splits, toy.tables, draws=200)
    a, b, twin = (("other", "toy", "erp", "enc", "all", 1.0, "", student) for student in ("a", "b", "twin"))
    near, far = tests.difference(a, twin, "srcc"), tests.difference(a, b, "srcc")
    assert near.high - near.low < 0.2 * (far.high - far.low)
    assert np.isnan(tests.difference(a, a, "srcc").low)


def test_images_and_contents_of_another_dataset_must_be_known(cross_dataset):
    toy, _ = cross_dataset
    with pytest.raises(InputError, match=r"images: .*'other'"):
        CrossDatasetTests(toy.predictions, toy.splits, {"toy": toy.images})
    with pytest.raises(InputError, match=r"images of other: .*'other/image00'"):
        CrossDatasetTests(toy.predictions, toy.splits, {"other": toy.images})
    with pytest.raises(InputError, match=r"predictions: .*same images of other"):
        CrossDatasetTests(toy.predictions.slice(0, len(toy.predictions) - 1), toy.splits, toy.tables)
