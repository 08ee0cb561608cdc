import json

import pandas as pd
import pytest
from verdict_rows import verdict

from iqadistill.report.verdicts import verdict_objects, verdict_sentence

STUDENTS = {"axis": "student", "other_student": "adtrs", "selector": "all", "other_selector": "all", "keep": 1.0}
STUDENTS |= {"other_keep": 1.0, "draws": 0, "test": "corrected_t"}


@pytest.mark.parametrize(
    ("changed", "expected"),
    [
        ({}, ["is undecided", "-0.011 to +0.015", "smallest detectable 0.013", "margin 0.01", "above 61 of 99"]),
        ({"verdict": "equivalent"}, ["equivalent to random selection", "within 0.01", "+0.002 [-0.011, 0.015]"]),
        ({"verdict": "better", "p_adjusted": 0.02}, ["better than", "adjusted p = 0.020", "on these images"]),
        ({"verdict": "worse", "p_adjusted": 0.02}, ["worse than", "other contents and trainings"]),
        ({"verdict": "undefined", "reason": "mlp may have seen the images"}, ["undefined: mlp may have seen"]),
        (
            {"draws": 9, "below": 9, "verdict": "better", "p_adjusted": 0.02, "test": "random_rankings_t"},
            ["above 9 of 9", "too few", "t with 8 degrees", "assumed to be normal", "(0.004)", "detectable 0.013"],
        ),
        ({**STUDENTS, "verdict": "better", "p_adjusted": 0.03}, ["(lat, lite0)", "mlp is better than adtrs"]),
        ({"other_selector": "all", "other_keep": 1.0, "draws": 0}, ["against all patches is undecided"]),
    ],
)
def test_sentence_says_what_was_decided_and_on_what(changed, expected):
    sentence = verdict_sentence(pd.Series(verdict(**changed)))
    assert all(value in sentence for value in expected), sentence
    assert "detectably" not in sentence and "nan" not in sentence


def test_students_are_not_ranked_among_random_rankings():
    assert "random" not in verdict_sentence(pd.Series(verdict(**STUDENTS)))


def test_objects_are_json_with_null_for_what_is_not_known():
    rows = pd.DataFrame([verdict(), verdict(verdict="undefined", low=float("nan"), reason="one split only")])
    first, second = json.loads(json.dumps(verdict_objects(rows), allow_nan=False))
    assert first["draws"] == 99 and second["low"] is None and second["sentence"]
