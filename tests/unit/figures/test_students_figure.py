import numpy as np
import pandas as pd
import pytest

from iqadistill.errors import InputError
from iqadistill.figures.drawing.style import GREY
from iqadistill.figures.student_cost import AXES, plot_student_cost
from iqadistill.figures.students import plot_students

PANEL = {"dataset": "photos", "sampler": "random_crops", "encoder": "lite0"}


@pytest.fixture
def results():
    """Summary and comparisons of three students; the pair (c, a) was tested in the order (a, c)."""
    rows = [
        {**PANEL, "train_dataset": "photos", "selector": "all", "keep": 1.0, "teacher": "", "student": student}
        | {"metric": metric, "mean": mean, "low": mean - 0.02, "high": mean + 0.02, "splits": splits}
        for student, mean, splits in (("a", 0.8, 10), ("b", 0.85, 5), ("c", 0.7, 3))
        for metric in ("srcc", "plcc")
    ]
    tested = {"train_dataset": "photos", "low": 0.01, "high": 0.09, "p": 0.01, "p_holm": 0.02, "family": "students"}
    tested |= {"verdict": "better", "smallest_detectable": 0.04, "reason": ""}
    pairs = [
        {**PANEL, "student": "b", "other_student": "a", "metric": metric, "delta": 0.05, **tested}
        for metric in ("srcc", "plcc")
    ] + [
        {**PANEL, "student": "a", "other_student": "c", "metric": metric, "delta": 0.1, **tested}
        for metric in ("srcc", "plcc")
    ]
    return pd.DataFrame(rows), pd.DataFrame(pairs)


def test_students_are_compared_with_the_first_in_either_order_of_the_pair(results):
    figure, table = plot_students(*results, ["a", "b", "c"])
    srcc = table[table.metric == "srcc"].set_index("student")
    assert srcc.delta_first["b"] == 0.05 and srcc.delta_first["c"] == -0.1
    assert (srcc.delta_low["c"], srcc.delta_high["c"]) == (-0.09, -0.01)
    assert np.isnan(srcc.delta_first["a"])
    texts = [text.get_text() for axes in figure.axes for text in axes.texts]
    assert texts.count("+0.050 [+0.010, +0.090] better") == 2
    assert texts.count("-0.100 [-0.090, -0.010] worse") == 2
    assert not any("p =" in words or "p <" in words for words in texts)


def test_undefined_comparison_is_called_so(results):
    summary, comparisons = results
    comparisons.loc[comparisons.student == "b", ["delta", "low", "high", "p", "p_holm"]] = np.nan
    comparisons.loc[comparisons.student == "b", "verdict"] = "undefined"
    figure, table = plot_students(summary, comparisons, ["a", "b", "c"])
    texts = [text.get_text() for axes in figure.axes for text in axes.texts]
    assert texts.count("undefined") == 2
    assert set(table[table.student == "b"].verdict) == {"undefined"}


def test_labels_give_the_number_of_splits_where_it_is_lower(results):
    figure, _ = plot_students(*results, ["a", "b", "c"])
    ticks = [tick.get_text() for tick in figure.axes[0].get_yticklabels()]
    assert ticks[0] == "a"
    assert "b" in ticks[1] and "5 splits" in ticks[1] and "illustration" not in ticks[1]
    assert "c" in ticks[2] and "3 splits" in ticks[2] and "illustration" in ticks[2]


def test_students_that_may_have_seen_the_images_stand_apart_in_grey(results):
    summary, comparisons = results
    summary.loc[(summary.student == "a") & (summary.metric == "plcc"), ["mean", "low", "high"]] = np.nan
    figure, table = plot_students(
        summary, comparisons[comparisons.student == "b"], ["b", "a", "c"], may_have_seen=[("photos", "a")]
    )
    ticks = [tick.get_text() for tick in figure.axes[0].get_yticklabels()]
    assert ticks[2] == "a\n(may have seen these images)" and ticks[0].startswith("b")
    colors = [container.lines[0].get_color() for container in figure.axes[0].containers]
    assert colors[2] == GREY and GREY not in colors[:2]
    assert table.set_index("student").may_have_seen.groupby(level=0).all().to_dict() == {
        "a": True,
        "b": False,
        "c": False,
    }


@pytest.fixture
def costs():
    """Costs of two deep students, b and c, and the scoring time of a third one."""
    rows = [
        {"student": "a", "milliseconds": 40.0, "patches": 10},
        {"student": "b", "milliseconds": 90.0, "patches": 10}
        | {"gigaflops": 0.4, "millions": 4.0, "total_minutes": 3.0, "gigabytes": 2.0},
        {"student": "c", "milliseconds": 250.0, "patches": 10}
        | {"gigaflops": 8.0, "millions": 43.0, "total_minutes": 30.0, "gigabytes": 9.0},
    ]
    return pd.DataFrame(rows).assign(**PANEL)


def test_deep_students_have_all_costs_and_others_a_scoring_time(results, costs):
    figure, table = plot_student_cost(results[0], costs, ["a", "b", "c"])
    shown = table.set_index("student")
    assert shown.gigaflops.dropna().to_dict() == {"b": 0.4, "c": 8.0}
    assert shown.milliseconds.to_dict() == {"a": 40.0, "b": 90.0, "c": 250.0}
    labels = [axes.get_xlabel() for axes in figure.axes]
    assert labels == [label + "\n10 patches" * (name == "milliseconds") for name, label in AXES.items()]


def test_costs_that_no_student_has_are_not_drawn(results, costs):
    figure, _ = plot_student_cost(results[0], costs, ["a"])
    assert [axes.get_xlabel() for axes in figure.axes] == ["ms per image (scoring)\n10 patches"]
    with pytest.raises(InputError, match=r"costs: .*student"):
        plot_student_cost(results[0], costs[costs.student != "a"], ["a"])


def test_cross_dataset_results_are_grouped_by_training_dataset(results):
    summary, comparisons = results
    on_rooms = [table.assign(dataset="rooms") for table in results]
    both = [pd.concat(pair) for pair in zip((summary, comparisons), on_rooms, strict=True)]
    figure, table = plot_students(*both, ["a", "b"], {"photos": "simulated scores"}, ["rooms"])
    assert set(table.dataset) == {"rooms"} and set(table.train_dataset) == {"photos"}
    title = figure.axes[0].get_title("left")
    assert all(name in title for name in ("rooms", "random_crops", "photos (simulated scores)"))
    _, same_dataset = plot_students(*both, ["a", "b"])
    assert set(same_dataset.dataset) == {"photos"}


def test_differences_on_other_datasets_have_intervals_and_no_p(results):
    summary, comparisons = (table.assign(dataset="rooms") for table in results)
    comparisons = comparisons.assign(p=np.nan, p_holm=np.nan, verdict="undefined")
    figure, table = plot_students(summary, comparisons, ["a", "b"], tested_on=["rooms"])
    texts = [text.get_text() for axes in figure.axes for text in axes.texts]
    assert texts == ["+0.050 [+0.010, +0.090]"] * 2
    assert table.p_holm.isna().all()


def test_published_cross_dataset_results_are_drawn_below_the_students(results):
    summary, comparisons = (table.assign(dataset="rooms") for table in results)
    published = pd.DataFrame(
        [
            {"train_dataset": "photos", "dataset": "rooms", "method": "DEIQT", "metric": "srcc", "value": 0.74},
            {"train_dataset": "rooms", "dataset": "photos", "method": "LoDa", "metric": "srcc", "value": 0.75},
        ]
    )
    figure, table = plot_students(summary, comparisons, ["a", "b"], tested_on=["rooms"], published=published)
    assert [tick.get_text() for tick in figure.axes[0].get_yticklabels()][2] == "DEIQT (published)"
    (row,) = table[table.student == "DEIQT (published)"].to_dict("records")
    assert (row["train_dataset"], row["dataset"], row["median"]) == ("photos", "rooms", 0.74)
    assert np.isnan(row["splits"])
