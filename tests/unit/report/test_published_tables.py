import pandas as pd
import pytest

from iqadistill.evaluation.published import published_cross_for, published_for
from iqadistill.report.published_tables import published_cross_table, published_table

MODELS = {"mlp": "mlp", "adtrs": "adtrs", "plain": "adtrs", "vit": "rkiqt"}


def summary_of(means, dataset="lab", train_dataset="lab"):
    """Summary of students on all patches: SRCC as given, raw PLCC 0.01 lower, PLCC after the logistic 0.5."""
    variant = {"dataset": dataset, "train_dataset": train_dataset, "sampler": "crops", "encoder": "lite0"}
    variant |= {"selector": "all", "keep": 1.0, "teacher": "", "splits": 10}
    return pd.DataFrame(
        [
            {**variant, "student": student, "metric": metric, "mean": value, "median": value - 0.05}
            | {"low": value - 0.1, "high": value + 0.1}
            for student, srcc in means.items()
            for metric, value in (("srcc", srcc), ("plcc_raw", srcc - 0.01), ("plcc", 0.5))
        ]
    )


def rows_of(table):
    return [dict(zip(table.columns, row, strict=True)) for row in table.rows]


def test_all_students_are_listed_those_of_the_published_name_below_it():
    ours = summary_of({"mlp": 0.9, "plain": 0.8, "adtrs": 0.7, "vit": 0.6})
    rows = rows_of(published_table(published_for(["live"]), ours, {"lab": "live", "other": "images"}, MODELS))
    assert [row["method"] for row in rows] == ["ADTRS", "adtrs", "plain", "mlp", "vit"]
    assert (rows[0]["SRCC"], rows[0]["PLCC (raw)"]) == ("0.97", "0.972")
    assert {row["dataset"] for row in rows} == {"lab"}


def test_published_plcc_stands_beside_our_raw_plcc():
    rows = rows_of(published_table(published_for(["live"]), summary_of({"adtrs": 0.7}), {"lab": "live"}, MODELS))
    assert rows[1]["SRCC"] == "0.700 [0.600, 0.800]"
    assert rows[1]["PLCC (raw)"] == "0.690 [0.590, 0.790]"
    assert (rows[1]["median SRCC"], rows[1]["median PLCC (raw)"]) == ("0.650", "0.640")
    assert rows[1]["splits"] == "10"


def test_students_on_whole_images_are_listed_and_marked_where_they_may_have_seen_them():
    ours = summary_of({"adtrs": 0.7, "niqe": 0.5}).assign(sampler="", encoder="", selector="")
    table = published_table(published_for(["live"]), ours, {"lab": "live"}, MODELS, {("lab", "adtrs")})
    assert [row["method"] for row in rows_of(table)] == ["ADTRS", "adtrs (may have seen these images)", "niqe"]
    assert {row["protocol"] for row in rows_of(table)[1:]} == {"whole images"}


@pytest.mark.parametrize("name", ["cviq", "my_cviq"])
def test_dataset_without_trained_students_has_published_results_alone(tables, name):
    (row,) = rows_of(published_table(published_for(["cviq"]), tables.summary, {name: "cviq"}, MODELS))
    assert (row["dataset"], row["method"]) == (name, "Assessor360")


def test_cross_dataset_results_stand_beside_ours_for_the_tested_pairs():
    published = published_cross_for({"koniq10k": "koniq10k", "wild": "livec"})
    ours = summary_of({"vit": 0.75}, dataset="wild", train_dataset="koniq10k")
    rows = rows_of(published_cross_table(published, ours))
    assert [(row["method"], row["SRCC"][:5]) for row in rows] == [
        ("DEIQT", "0.794"),
        ("LoDa", "0.811"),
        ("vit", "0.750"),
    ]
    assert [row["median SRCC"] for row in rows] == ["–", "–", "0.700"]
    assert {(row["trained on"], row["tested on"]) for row in rows} == {("koniq10k", "wild")}
