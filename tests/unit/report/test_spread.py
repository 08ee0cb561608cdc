import numpy as np
import pandas as pd

from iqadistill.report.spread import kinds_table, kinds_warnings, spread_table

KINDS = {"live": "synthetic", "csiq": "synthetic", "livec": "authentic"}


def summary_of(means):
    """Summary of students on all patches from their SRCC by dataset."""
    return pd.DataFrame(
        [
            {"dataset": dataset, "train_dataset": dataset, "sampler": "crops", "encoder": "lite0", "selector": "all"}
            | {"keep": 1.0, "student": student, "metric": metric, "mean": value, "std": 0.02, "splits": 10}
            for student, by_dataset in means.items()
            for dataset, srcc in by_dataset.items()
            for metric, value in (("srcc", srcc), ("krcc", srcc - 0.2), ("rmse", 0.1))
        ]
    )


def test_every_metric_has_its_deviation_over_splits():
    table = spread_table(summary_of({"vit": {"live": 0.9}}))
    (row,) = [dict(zip(table.columns, row, strict=True)) for row in table.rows]
    assert (row["SRCC"], row["KRCC"], row["RMSE"]) == ("0.900 ± 0.020", "0.700 ± 0.020", "0.100 ± 0.020")
    assert (row["PLCC"], row["splits"]) == ("–", "10")


def test_students_on_whole_images_have_the_metrics_that_are_known():
    summary = summary_of({"tool": {"live": 0.9}}).assign(sampler="", encoder="", selector="")
    summary.loc[summary.metric == "rmse", ["mean", "std"]] = np.nan
    table = spread_table(summary, {("live", "tool")})
    assert table.rows == [
        ["live", "", "", "tool (may have seen these images)", "0.900 ± 0.020", *"––", "0.700 ± 0.020", "–", "10"]
    ]
    assert table.marks == ["quiet"]


def test_student_that_is_poor_on_one_kind_of_distortions_is_named():
    summary = summary_of(
        {
            "uneven": {"live": 0.95, "csiq": 0.93, "livec": 0.6},
            "even": {"live": 0.9, "livec": 0.85},
            "one_kind": {"live": 0.9, "csiq": 0.3},
        }
    )
    (sentence,) = kinds_warnings(summary, KINDS)
    assert sentence.startswith("uneven") and "0.940" in sentence and "0.600" in sentence
    table = kinds_table(summary, KINDS)
    rows = {row[2]: row for row in table.rows}
    assert rows["uneven"][3:5] == ["0.940 (live, csiq)", "0.600 (livec)"]
    assert rows["one_kind"][4] == "–"


def test_single_dataset_has_no_summary_over_datasets():
    assert kinds_table(summary_of({"vit": {"live": 0.9}}), KINDS).rows == []


def test_mean_over_datasets_is_undefined_where_one_srcc_is():
    summary = summary_of({"vit": {"live": 0.9, "csiq": 0.8, "livec": 0.6}})
    summary.loc[(summary.dataset == "csiq") & (summary.metric == "srcc"), "mean"] = np.nan
    (row,) = kinds_table(summary, KINDS).rows
    assert row[3:] == ["undefined (live, csiq)", "0.600 (livec)", "undefined", "undefined"]
    assert kinds_warnings(summary, KINDS) == []
