import numpy as np
import pandas as pd
import pytest

from iqadistill.figures.students import plot_students

PLACE = {"dataset": "photos", "sampler": "random_crops", "encoder": "lite0"}


@pytest.fixture
def results():
    """Summary and comparisons of three students; the pair (c, a) was tested the other way round."""
    rows = [
        {**PLACE, "train_dataset": "photos", "selector": "all", "keep": 1.0, "teacher": "", "student": student}
        | {"metric": metric, "median": median, "low": median - 0.02, "high": median + 0.02, "splits": splits}
        for student, median, splits in (("a", 0.8, 10), ("b", 0.85, 10), ("c", 0.7, 3))
        for metric in ("srcc", "plcc")
    ]
    tested = {"low": 0.01, "high": 0.09, "p": 0.01, "p_holm": 0.02, "family": "students"}
    pairs = [
        {**PLACE, "student": "b", "other_student": "a", "metric": metric, "delta": 0.05, **tested}
        for metric in ("srcc", "plcc")
    ] + [
        {**PLACE, "student": "a", "other_student": "c", "metric": metric, "delta": 0.1, **tested}
        for metric in ("srcc", "plcc")
    ]
    return pd.DataFrame(rows), pd.DataFrame(pairs)


def test_every_student_stands_against_the_first_whichever_way_the_pair_was_tested(results):
    figure, table = plot_students(*results, ["a", "b", "c"])
    srcc = table[table.metric == "srcc"].set_index("student")
    assert srcc.delta_first["b"] == 0.05 and srcc.delta_first["c"] == -0.1
    assert (srcc.delta_low["c"], srcc.delta_high["c"]) == (-0.09, -0.01)
    assert np.isnan(srcc.delta_first["a"])
    texts = [text.get_text() for axes in figure.axes for text in axes.texts]
    assert texts.count("+0.050, Holm p = 0.020") == 2


def test_few_splits_are_called_an_illustration(results):
    figure, _ = plot_students(*results, ["a", "b", "c"])
    ticks = [tick.get_text() for tick in figure.axes[0].get_yticklabels()]
    assert ticks == ["a", "b", "c\n(illustration: 3 splits)"]
