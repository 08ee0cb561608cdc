import numpy as np
import pytest

from iqadistill.figures.drawing.variants import against_all, against_random
from iqadistill.report.findings import (
    caveats,
    compared_with_all_patches,
    compared_with_random,
    comparison_sentence,
    outcome,
    random_headlines,
)


def pair(tables, panel, delta, p_holm):
    tables.pairs.clear()
    tables.compare(panel, ("residual", 0.4), ("random", 0.4), delta, p_holm)
    return tables.comparisons.iloc[0]


def test_comparison_sentence_has_rate_difference_interval_and_p(tables, panel):
    sentence = comparison_sentence(pair(tables, panel, 0.004, 0.61))
    for value in ("keep 0.4", "residual", "random", "+0.004 [-0.006, 0.014] SRCC", "p_holm 0.61"):
        assert value in sentence
    assert sentence.endswith("no difference detected")


@pytest.mark.parametrize(
    ("delta", "p_holm", "expected"),
    [
        (0.02, 0.01, "better"),
        (-0.02, 0.01, "worse"),
        (0.02, 0.2, "no difference detected"),
        (0.02, 0.05, "no difference detected"),
    ],
)
def test_outcome_needs_a_corrected_p_below_the_level(tables, panel, delta, p_holm, expected):
    assert outcome(pair(tables, panel, delta, p_holm)) == expected


def test_lower_rmse_is_better(tables, panel):
    row = pair(tables, panel, -0.1, 0.001).copy()
    row["metric"] = "rmse"
    assert outcome(row) == "better"


def test_pair_without_p_value_has_no_detected_difference(tables, panel):
    row = pair(tables, panel, 0.01, np.nan)
    assert "+0.010" in comparison_sentence(row) and "p_holm" not in comparison_sentence(row)
    assert outcome(row) == "no difference detected"


def test_different_keep_rates_are_named(tables, panel):
    tables.pairs.clear()
    tables.compare(panel, ("residual", 0.4), ("all", 1.0), -0.01, 0.3)
    sentence = comparison_sentence(tables.comparisons.iloc[0])
    assert sentence.index("residual at keep 0.4") < sentence.index("all patches") < sentence.index("-0.010")


def test_headlines_count_every_comparison(tables):
    (sentence,) = random_headlines(tables.comparisons)
    assert "gallery360" in sentence
    for count in ("45 comparisons", "better in 1", "worse in 0", "no difference detected in 44"):
        assert count in sentence


def test_selector_is_compared_with_random_over_its_keep_rates(tables):
    rows = against_random(tables.comparisons)
    words = compared_with_random(rows[(rows.metric == "srcc") & (rows.selector == "residual")])
    for value in ("better at keep 0.1", "9 keep rates", "+0.002 to +0.020"):
        assert value in words
    assert "worse" not in words


def test_a_single_keep_rate_is_not_called_one_of_several(tables):
    rows = against_random(tables.comparisons)
    of_residual = rows[(rows.metric == "srcc") & (rows.selector == "residual")].sort_values("keep")
    for row, expected in ((0, "better at keep 0.1"), (-1, "no difference detected at keep 0.9")):
        words = compared_with_random(of_residual.iloc[[row]])
        assert words.startswith(expected) and "rates" not in words and "differences" not in words


def test_selector_is_not_worse_above_the_last_keep_rate_at_which_it_is_worse(tables):
    rows = against_all(tables.comparisons)
    rows = rows[(rows.metric == "srcc") & (rows.selector == "residual")].copy()
    assert "not detectably worse at keep 0.3" in compared_with_all_patches(rows)
    rows.loc[np.isclose(rows.keep, 0.9), "p_holm"] = 0.001
    rows.loc[np.isclose(rows.keep, 0.9), "delta"] = -0.01
    assert "not" not in compared_with_all_patches(rows) and "worse" in compared_with_all_patches(rows)


def test_results_of_a_single_split_are_an_illustration(tables):
    assert caveats(tables.summary) == []
    words = " ".join(caveats(tables.summary.assign(splits=1)))
    assert "single split" in words and "illustration" in words


def test_missing_control_is_named(tables):
    without = tables.summary[lambda rows: rows.student != "label_only"]
    assert "label-only" in " ".join(caveats(without))


def test_students_that_may_have_seen_the_images_are_named(tables):
    (sentence,) = caveats(tables.summary, {("gallery360", "musiq")})
    assert "gallery360: musiq" in sentence and "may have seen" in sentence and "no paired test" in sentence


def test_a_missing_logistic_is_explained(tables, panel):
    tables.add((panel[0], "", ""), "", 1.0, 0.8, student="tool")
    tables.rows[-1] |= {"median": np.nan, "low": np.nan, "high": np.nan}
    (sentence,) = caveats(tables.summary)
    assert "tool has no predictions for training images" in sentence and "no PLCC" in sentence


def test_few_splits_are_reported_for_the_students_that_have_them(tables, panel):
    tables.add(panel, "all", 1.0, 0.8, student="adtrs", splits=2)
    tables.add(panel, "all", 1.0, 0.8, student="rkiqt", splits=1)
    few, single = caveats(tables.summary)
    assert "gallery360" in few and "adtrs" in few and "2 splits" in few and "mlp" not in few
    assert "rkiqt" in single and "illustration" in single and "mlp" not in single


def test_students_with_equally_few_splits_share_a_sentence(tables):
    (sentence,) = caveats(tables.summary.assign(splits=3))
    assert "3 splits" in sentence and "mlp" in sentence
