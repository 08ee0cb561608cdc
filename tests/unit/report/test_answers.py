import pandas as pd
from verdict_rows import verdict

from iqadistill.report.answers import cost_sentence, enough_sentences, level_sentences


def test_levels_are_those_of_the_students_in_primary_comparisons(tables, panel):
    dataset, sampler, encoder = panel
    row = verdict(dataset=dataset, sampler=sampler, encoder=encoder, other_sampler=sampler, other_encoder=encoder)
    (sentence,) = level_sentences(tables.summary, pd.DataFrame([row]), {dataset: 0.93})
    for value in ("mlp", "0.870 [0.850, 0.890]", dataset, sampler, "0.93"):
        assert value in sentence
    (unlimited,) = level_sentences(tables.summary, pd.DataFrame([row]), {})
    assert "0.870" in unlimited and "noise" not in unlimited
    assert level_sentences(tables.summary, pd.DataFrame([row])[:0], {}) == []


def test_enough_patches_are_those_shown_to_be_equivalent(tables):
    (sentence,) = enough_sentences(tables.comparisons)
    assert "none of keep 0.1, 0.2" in sentence and "equivalent to all" in sentence
    comparisons = tables.comparisons
    comparisons.loc[(comparisons.selector == "random") & (comparisons.keep > 0.55), "verdict"] = "equivalent"
    (sentence,) = enough_sentences(comparisons)
    assert "keep 0.6 is equivalent to all" in sentence


def test_cost_is_in_units_that_people_read():
    assert "2 jobs, took 3 minutes" in cost_sentence(pd.DataFrame({"seconds": [60.0, 120.0]}))
    assert "1.5 hours" in cost_sentence(pd.DataFrame({"seconds": [5400.0]}))
