import numpy as np
import pytest

from iqadistill.figures.drawing.variants import against_all, against_random
from iqadistill.report.findings import (
    caveats,
    judged_against_all,
    judged_against_random,
    outcome,
    random_headlines,
    verdict,
)


def pair(tables, panel, delta, p_holm):
    tables.pairs.clear()
    tables.compare(panel, ("residual", 0.4), ("random", 0.4), delta, p_holm)
    return tables.comparisons.iloc[0]


def test_a_verdict_quotes_rate_difference_interval_and_p(tables, panel):
    assert verdict(pair(tables, panel, 0.004, 0.61)) == (
        "at keep 0.4 residual minus random = +0.004 [-0.006, 0.014] SRCC, p_holm 0.61: no difference detected"
    )


@pytest.mark.parametrize(
    ("delta", "p_holm", "expected"),
    [
        (0.02, 0.01, "better"),
        (-0.02, 0.01, "worse"),
        (0.02, 0.2, "no difference detected"),
        (0.02, 0.05, "no difference detected"),
    ],
)
def test_the_outcome_needs_a_corrected_p_below_the_level(tables, panel, delta, p_holm, expected):
    assert outcome(pair(tables, panel, delta, p_holm)) == expected


def test_a_lower_rmse_is_better(tables, panel):
    row = pair(tables, panel, -0.1, 0.001).copy()
    row["metric"] = "rmse"
    assert outcome(row) == "better"


def test_a_pair_without_a_p_says_so(tables, panel):
    row = pair(tables, panel, 0.01, np.nan)
    assert verdict(row).endswith("too few splits for a test")
    assert outcome(row) == "no difference detected"


def test_different_rates_are_named(tables, panel):
    tables.pairs.clear()
    tables.compare(panel, ("residual", 0.4), ("all", 1.0), -0.01, 0.3)
    assert verdict(tables.comparisons.iloc[0]).startswith("residual at keep 0.4 minus all patches = -0.010")


def test_headlines_count_every_comparison(tables):
    (sentence,) = random_headlines(tables.comparisons)
    assert "45 comparisons" in sentence
    assert "better in 1, worse in 0, no difference detected in 44" in sentence


def test_a_selector_is_judged_over_its_rates(tables):
    rows = against_random(tables.comparisons)
    rows = rows[(rows.metric == "srcc") & (rows.selector == "residual")]
    assert judged_against_random(rows) == "better at keep 0.1, of 9 keep rates (differences +0.002 to +0.020)"


def test_the_sufficient_rate_lies_above_every_rate_that_is_worse(tables):
    rows = against_all(tables.comparisons)
    rows = rows[(rows.metric == "srcc") & (rows.selector == "residual")].copy()
    assert judged_against_all(rows).startswith("not detectably worse from keep 0.3 on")
    rows.loc[np.isclose(rows.keep, 0.9), "p_holm"] = 0.001
    rows.loc[np.isclose(rows.keep, 0.9), "delta"] = -0.01
    assert judged_against_all(rows) == "worse at every keep rate tested"


def test_a_single_split_is_called_an_illustration(tables):
    assert caveats(tables.summary) == []
    assert "a single split, an illustration" in " ".join(caveats(tables.summary.assign(splits=1)))


def test_a_missing_control_is_told(tables):
    without = tables.summary[lambda rows: rows.student != "label_only"]
    assert "label-only control is missing" in " ".join(caveats(without))


def test_few_splits_are_stated_for_the_students_that_have_them(tables, panel):
    tables.add(panel, "all", 1.0, 0.8, student="adtrs", splits=2)
    tables.add(panel, "all", 1.0, 0.8, student="rkiqt", splits=1)
    weak, single = caveats(tables.summary)
    assert "gallery360" in weak and "adtrs" in weak and "2 splits" in weak and "mlp" not in weak
    assert "rkiqt" in single and "illustration" in single and "mlp" not in single


def test_students_of_as_few_splits_share_a_sentence(tables):
    (sentence,) = caveats(tables.summary.assign(splits=3))
    assert "3 splits" in sentence and "mlp" in sentence
