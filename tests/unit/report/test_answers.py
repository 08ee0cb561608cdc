import json

import numpy as np
import pandas as pd
from verdict_rows import verdict

from iqadistill.report.answers import (
    budget_objects,
    budget_sentences,
    cost_sentence,
    enough_sentences,
    level_sentences,
    ratings_objects,
    ratings_sentences,
)


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


def test_undefined_levels_and_rates_are_called_so(tables, panel):
    dataset, sampler, encoder = panel
    row = verdict(dataset=dataset, sampler=sampler, encoder=encoder, other_sampler=sampler, other_encoder=encoder)
    summary = tables.summary
    summary.loc[summary.selector == "all", ["mean", "low", "high"]] = np.nan
    (sentence,) = level_sentences(summary, pd.DataFrame([row]), {})
    assert "mlp" in sentence and "undefined" in sentence and "nan" not in sentence
    comparisons = tables.comparisons
    comparisons.loc[(comparisons.selector == "random") & (comparisons.keep == 0.4), "verdict"] = "undefined"
    assert "Undefined at keep 0.4." in enough_sentences(comparisons)[0]


def ratings():
    """Rows of a label-efficiency figure: two numbers of chosen images, of which one is undefined, and random ones."""
    names = {"dataset": "pcuid", "sampler": "grid", "encoder": "lite0", "student": "mlp"}
    decided = {"difference": 0.04, "low": 0.01, "high": 0.07, "margin": 0.01, "smallest_detectable": 0.02, "draws": 99}
    rows = [{"chooser": "all", "budget": 320.0, "srcc": 0.9}]
    rows += [{"chooser": "random", "budget": float(n), "srcc": n / 100} for n in (10, 20)]
    rows += [
        {"chooser": "facility", "budget": 20.0, "srcc": 0.45, "worth": 44.8, "worth_low": 30.2, "worth_high": np.inf}
        | {"verdict": "better", "reason": "", **decided},
        {"chooser": "facility", "budget": 10.0, "srcc": np.nan, "worth": np.nan, "worth_low": np.nan}
        | {"worth_high": np.nan, "verdict": "undefined", "reason": "it has no SRCC on split 3 of 10"},
        {"chooser": "far", "budget": 10.0, "srcc": 0.05, "worth": 0.0, "worth_low": 0.0, "worth_high": 0.0}
        | {"verdict": "worse", "reason": "", **decided},
    ]
    return pd.DataFrame([{**names, **row} for row in rows])


def test_chosen_ratings_are_worth_so_many_random_ones():
    facility, far = ratings_sentences(ratings())
    for value in (
        "pcuid (mlp, grid, lite0) chosen by facility",
        "10 chosen: undefined (it has no SRCC on split 3 of 10)",
        "20 chosen are worth about 45 (30 to more than 320), better",
        "exploratory",
    ):
        assert value in facility
    assert "10 chosen are worth fewer than 10, worse" in far
    assert ratings_sentences(pd.DataFrame()) == []


def test_ratings_are_json():
    objects = json.loads(json.dumps(ratings_objects(ratings()), allow_nan=False))
    assert [one["chooser"] for one in objects] == ["facility", "facility", "far"]
    assert objects[0]["worth"] == 44.8 and objects[0]["worth_high"] is None and objects[1]["verdict"] == "undefined"
    assert ratings_objects(pd.DataFrame()) == []


def budgets(enough):
    """Rows of a budget figure: as many of 20 patches as are enough, and all."""
    names = {"dataset": "pcuid", "sampler": "grid", "encoder": "lite0", "student": "mlp", "margin": 0.01}
    decided = {"all_verdict": "equivalent", "all_difference": -0.0018, "all_difference_low": -0.0075}
    decided |= {"all_difference_high": 0.0039, "all_smallest_detectable": 0.0081}
    rows = [
        {"selector": "random", "patches": 3, "srcc": 0.915, "milliseconds": 70.0},
        {"selector": "auto", "patches": enough, "mean_patches": 3.2, "srcc": 0.922, "milliseconds": 74.4, **decided},
        {"selector": "all", "patches": 20, "srcc": 0.924, "milliseconds": 403.0},
    ]
    return pd.DataFrame([{**names, **row} for row in rows])


def test_as_many_patches_as_are_enough_to_look_at_are_told():
    (sentence,) = budget_sentences(budgets(3))
    for value in ("3 of 20 patches", "pcuid (mlp, grid, lite0)", "74 ms instead of 403", "3.2 on average", "0.922"):
        assert value in sentence
    assert "compared with all patches equivalent, -0.002 [-0.007, 0.004], margin 0.01" in sentence
    (sentence,) = budget_sentences(budgets(20))
    assert "No number of patches below all 20" in sentence
    assert budget_sentences(pd.DataFrame()) == []


def test_budgets_are_json():
    (one,) = json.loads(json.dumps(budget_objects(budgets(3)), allow_nan=False))
    assert (one["patches"], one["verdict"], one["smallest_detectable"]) == (3, "equivalent", 0.0081)
    assert budget_objects(pd.DataFrame()) == []
