"""Correlations that are undefined on a split: a verdict of their own everywhere, never a kind of parity."""

import numpy as np
import pandas as pd
import pytest

from iqadistill.evaluation import compare_variants, evaluate_predictions, summarise
from iqadistill.evaluation.drawn_rankings import DrawnRankings, as_draws
from iqadistill.evaluation.primaries import decide_primaries
from iqadistill.evaluation.tested import TestedVariants
from iqadistill.tables import as_table

SIDE = {"dataset": "toy", "sampler": "lat", "encoder": "enc", "selector": "residual", "keep": 0.5, "student": "mlp"}


def changed(toy, rows, **columns):
    """The small results with other values in the rows of a query."""
    frame = toy.predictions.to_pandas()
    frame.loc[frame.query(rows).index, list(columns)] = list(columns.values())
    toy.predictions = as_table(frame, "predictions")
    return toy


@pytest.fixture
def collapsed(toy_results):
    """The student of residual selection at keep 0.5 gives all images of split 2 the same score."""
    return changed(toy_results(), "selector == 'residual' and keep == 0.5 and split == 2", prediction=0.5)


@pytest.fixture
def identical(toy_results):
    """A study of identical images: every student gives all of them the same score."""
    return changed(toy_results(), "split >= 0", prediction=0.5)


def comparisons(toy):
    return compare_variants(evaluate_predictions(toy.predictions, toy.splits), toy.splits).to_pandas()


def primary(toy, **changes):
    """Verdict of a primary comparison of residual selection with all patches, or as changed."""
    second = {**SIDE, "selector": "all", "keep": 1.0}
    facts = {"first": SIDE, "second": second, "axis": "selector", "draws": 0, **changes}
    drawn = toy.predictions.to_pandas().query("selector == 'random' and keep == 0.5")
    generator = np.random.default_rng(0)
    noisy = [drawn.assign(prediction=drawn.score + 0.2 * generator.normal(size=len(drawn))) for _ in range(39)]
    tables = [as_draws(as_table(rows, "predictions"), number) for number, rows in enumerate(noisy)]
    metrics = evaluate_predictions(toy.predictions, toy.splits)
    tested = TestedVariants(toy.predictions, toy.tables, toy.splits, {})
    given = (tested, DrawnRankings(tested, tables), toy.splits, {})
    return decide_primaries([facts], metrics, *given, margin=0.01).to_pandas().iloc[0]


def test_a_collapsed_student_is_named_with_its_split(collapsed):
    table = comparisons(collapsed)
    of_student = table[(table.selector == "residual") & (table.keep == 0.5)]
    assert len(of_student) == 4 and set(of_student.verdict) == {"undefined"}
    assert set(of_student.p_holm.isna()) == {True}
    srcc = of_student[of_student.metric == "srcc"]
    assert srcc.reason.str.contains("residual").all() and srcc.reason.str.contains("SRCC on split 2 of 4").all()
    others = table[~table.index.isin(of_student.index)]
    assert "undefined" not in set(others.verdict) and set(others.reason) == {""}


def test_an_undefined_comparison_is_no_test_of_its_family(collapsed, toy_results):
    whole = comparisons(toy_results())
    family = "family == 'against_all' and metric == 'srcc'"
    before, after = whole.query(family), comparisons(collapsed).query(family)
    assert after.p_holm.notna().sum() == before.p_holm.notna().sum() - 1
    key = ["selector", "keep"]
    both = before.merge(after, on=key, suffixes=("", "_after")).dropna(subset="p_holm_after")
    assert (both.p_holm_after <= both.p_holm).all()


def test_students_without_srcc_on_any_split_are_compared_and_undefined(identical):
    table = comparisons(identical)
    label = table[(table.family == "against_label_only") & (table.metric == "srcc")]
    assert len(label) == 3 and label.reason.str.contains("splits 0, 1, 2, 3 of 4").all()
    assert set(table.verdict) == {"undefined"}


def test_scores_that_are_all_equal_are_undefined_for_both(toy_results):
    toy = toy_results()
    test = toy.splits["toy"].to_pandas().query("role == 'test' and split == 1").image_id
    frame = toy.predictions.to_pandas()
    frame.loc[(frame.split == 1) & frame.image_id.isin(test), "score"] = 0.5
    toy.predictions = as_table(frame, "predictions")
    table = comparisons(toy)
    assert set(table.verdict) == {"undefined"}
    assert table[table.metric == "srcc"].reason.str.contains("all scores, are equal").all()


def test_mean_over_splits_is_undefined_where_one_split_is(collapsed):
    metrics = evaluate_predictions(collapsed.predictions, collapsed.splits)
    summary = summarise(metrics, collapsed.splits).to_pandas()
    of_student = summary[(summary.selector == "residual") & (summary.keep == 0.5) & (summary.metric == "srcc")]
    assert of_student[["mean", "low", "high", "median"]].isna().all(axis=None)


@pytest.mark.parametrize("draws", [0, 39])
def test_primary_comparison_of_a_collapsed_student_is_undefined(collapsed, draws):
    second = {**SIDE, "selector": "random"} if draws else {**SIDE, "selector": "all", "keep": 1.0}
    verdict = primary(collapsed, second=second, draws=draws)
    assert verdict.verdict == "undefined" and "split 2 of 4" in verdict.reason
    assert np.isnan(verdict[["difference", "low", "high", "smallest_detectable"]].astype(float)).all()


def test_primary_comparison_names_the_variant(collapsed):
    assert "residual" in primary(collapsed).reason


def test_primary_comparison_without_a_common_split_is_undefined(toy_results):
    toy = toy_results()
    frame = toy.predictions.to_pandas()
    rows = (frame.selector == "all") & (frame.sampler == "lat") & (frame.encoder == "enc")
    toy.predictions = as_table(
        frame[~(rows & (frame.split < 2)) & ~(of_side(frame) & (frame.split > 1))], "predictions"
    )
    assert primary(toy).reason == "the two have no split in common"


def of_side(frame):
    return (frame.selector == "residual") & (frame.keep == 0.5)


def test_equal_differences_on_every_split_are_undefined(toy_results):
    toy = toy_results()
    frame = toy.predictions.to_pandas()
    twin = frame[(frame.sampler == "lat") & (frame.encoder == "enc") & (frame.selector == "all")]
    same = twin.assign(selector="residual", keep=0.5)
    toy.predictions = as_table(pd.concat([frame[~of_side(frame)], same]), "predictions")
    verdict = primary(toy)
    assert verdict.verdict == "undefined" and "same on every split" in verdict.reason


def test_upside_down_predictor_has_no_high_plcc(toy_results):
    toy = toy_results()
    frame = toy.predictions.to_pandas()
    toy.predictions = as_table(frame.assign(prediction=1 - frame.prediction), "predictions")
    metrics = evaluate_predictions(toy.predictions, toy.splits).to_pandas()
    falling = metrics[metrics.student == "mlp"]
    assert (falling.srcc < 0).all() and (falling.plcc < 0).all()
