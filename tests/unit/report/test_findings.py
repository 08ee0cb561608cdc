import numpy as np
import pytest

from iqadistill.figures.drawing.variants import against_all, against_random
from iqadistill.report.findings import (
    by_keep_rate,
    caveats,
    comparison_sentence,
    counted,
    in_words,
    notes,
    random_headlines,
)


def pair(tables, panel, **changed):
    tables.pairs.clear()
    tables.compare(panel, ("residual", 0.4), ("random", 0.4), 0.004, 0.61)
    row = tables.comparisons.iloc[0].copy()
    for name, value in changed.items():
        row[name] = value
    return row


def test_comparison_sentence_has_rate_difference_interval_and_what_it_could_detect(tables, panel):
    sentence = comparison_sentence(pair(tables, panel))
    for value in ("keep 0.4", "residual", "random", "+0.004 [-0.006, 0.014] SRCC", "undecided", "0.015"):
        assert value in sentence


@pytest.mark.parametrize(
    ("changed", "expected"),
    [
        ({"verdict": "better", "p_holm": 0.01}, ["better", "p_holm = 0.010"]),
        ({"verdict": "equivalent"}, ["equivalent"]),
        ({"verdict": "undefined", "reason": "one split only"}, ["undefined", "one split only"]),
    ],
)
def test_verdict_stands_with_its_reason(tables, panel, changed, expected):
    words = in_words(pair(tables, panel, **changed))
    assert all(value in words for value in expected)


def test_undefined_difference_has_no_number(tables, panel):
    nothing = {"delta": np.nan, "low": np.nan, "high": np.nan, "verdict": "undefined", "reason": "one split only"}
    sentence = comparison_sentence(pair(tables, panel, **nothing))
    assert "nan" not in sentence and "one split only" in sentence


def test_different_keep_rates_are_named(tables, panel):
    tables.pairs.clear()
    tables.compare(panel, ("residual", 0.4), ("all", 1.0), -0.01, 0.3)
    sentence = comparison_sentence(tables.comparisons.iloc[0])
    assert sentence.index("residual at keep 0.4") < sentence.index("all patches") < sentence.index("-0.010")


def test_headlines_count_every_comparison_by_its_verdict(tables):
    (sentence,) = random_headlines(tables.comparisons)
    for count in ("gallery360", "45 comparisons", "one random ranking", "better in 1", "undecided in 44 (smallest"):
        assert count in sentence


def test_headlines_tell_the_mean_over_random_rankings_from_one(tables):
    comparisons = tables.comparisons.assign(draws=np.where(tables.comparisons.keep < 0.25, 99, 0))
    first, second = random_headlines(comparisons)
    assert "the mean over 99 random rankings" in first and "one random ranking" in second


def test_range_of_what_undecided_comparisons_could_detect_is_given(tables):
    rows = against_random(tables.comparisons)
    rows = rows[rows.metric == "srcc"].copy()
    rows.iloc[-1, rows.columns.get_loc("smallest_detectable")] = 0.09
    assert "smallest detectable 0.015 to 0.090" in counted(rows)


def test_selector_is_compared_with_random_over_its_keep_rates(tables):
    rows = against_random(tables.comparisons)
    words = by_keep_rate(rows[(rows.metric == "srcc") & (rows.selector == "residual")])
    for value in ("better at keep 0.1", "undecided at keep 0.2, 0.3", "+0.002 to +0.020"):
        assert value in words
    assert "worse" not in words


def test_a_single_keep_rate_has_one_difference(tables):
    rows = against_random(tables.comparisons)
    of_residual = rows[(rows.metric == "srcc") & (rows.selector == "residual")].sort_values("keep")
    for row, expected in ((0, "better at keep 0.1"), (-1, "undecided at keep 0.9")):
        words = by_keep_rate(of_residual.iloc[[row]])
        assert words.startswith(expected) and "differences" not in words


def test_weak_comparisons_with_all_patches_are_not_called_enough(tables):
    rows = against_all(tables.comparisons)
    words = by_keep_rate(rows[(rows.metric == "srcc") & (rows.selector == "residual")])
    assert "worse at keep 0.1, 0.2" in words and "undecided at keep 0.3" in words and "not detectably" not in words


def test_results_of_a_single_split_are_an_illustration(tables):
    assert caveats(tables.summary) == []
    words = " ".join(caveats(tables.summary.assign(splits=1)))
    assert "single split" in words and "illustration" in words


def test_missing_control_is_named(tables):
    without = tables.summary[lambda rows: rows.student != "label_only"]
    assert "label-only" in " ".join(notes(without))


def test_selectors_without_random_have_no_baseline(tables):
    without = tables.summary[lambda rows: rows.selector != "random"]
    assert "no baseline" in " ".join(caveats(without))
    assert caveats(without[lambda rows: rows.selector.isin(["all", ""])]) == []


def test_students_that_may_have_seen_the_images_are_named(tables):
    (sentence,) = caveats(tables.summary, {("gallery360", "musiq")})
    assert "gallery360: musiq" in sentence and "may have seen" in sentence and "no paired test" in sentence


def test_a_missing_logistic_is_explained(tables, panel):
    tables.add((panel[0], "", ""), "", 1.0, 0.8, student="tool")
    tables.rows[-1] |= {"median": np.nan, "low": np.nan, "high": np.nan}
    (sentence,) = notes(tables.summary)
    assert caveats(tables.summary) == []
    assert "tool has no predictions for training images" in sentence and "no PLCC" in sentence


def test_few_splits_are_reported_for_the_students_that_have_them(tables, panel):
    tables.add(panel, "all", 1.0, 0.8, student="adtrs", splits=2)
    tables.add(panel, "all", 1.0, 0.8, student="rkiqt", splits=1)
    (few,), (single,) = notes(tables.summary), caveats(tables.summary)
    assert "gallery360" in few and "adtrs" in few and "2 splits" in few and "mlp" not in few
    assert "rkiqt" in single and "illustration" in single and "mlp" not in single


def test_students_with_equally_few_splits_share_a_sentence(tables):
    (sentence,) = notes(tables.summary.assign(splits=3))
    assert "3 splits" in sentence and "mlp" in sentence


def test_undefined_rates_are_named_with_their_reason_and_have_no_difference(tables):
    rows = against_all(tables.comparisons)
    rows = rows[(rows.metric == "srcc") & (rows.selector == "residual")].copy()
    missing = rows.keep > 0.75
    rows.loc[missing, ["delta", "low", "high", "p", "p_holm", "smallest_detectable"]] = np.nan
    rows.loc[missing, ["verdict", "reason"]] = ["undefined", "residual has no SRCC on split 3 of 10"]
    words = by_keep_rate(rows)
    assert "undefined at keep 0.8, 0.9 (residual has no SRCC on split 3 of 10)" in words
    assert "nan" not in words and "undecided at keep 0.3, 0.4, 0.5, 0.6, 0.7 (" in words
    assert "undefined in 2" in counted(rows)
    assert "nan" not in by_keep_rate(rows[missing]) and "difference" not in by_keep_rate(rows[missing])
