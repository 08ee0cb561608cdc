import inspect

import pandas as pd
import pytest

from iqadistill.report.published import TABLE, published_for
from iqadistill.report.tables import published_table

OURS = "ours, all patches"


def test_published_results_have_source_and_protocol():
    rows = pd.read_csv(TABLE)
    assert rows.notna().all().all()
    assert set(rows.metric) == {"srcc", "plcc"}
    assert rows.value.between(0, 1).all()
    assert not rows.duplicated(["dataset", "method", "metric"]).any()


def test_only_results_on_the_datasets_of_the_study_are_listed():
    assert published_for(["gallery360", "gallery2d", "noise360"]).empty
    assert set(published_for(["gallery360", "cviq"]).dataset) == {"cviq"}
    cviq = published_for(["cviq"]).set_index("metric").value
    assert (cviq["srcc"], cviq["plcc"]) == (0.9801, 0.9836)
    assert inspect.signature(published_for).parameters["datasets"].default is inspect.Parameter.empty


def test_dataset_entries_are_matched_by_their_source(tables):
    renamed = tables.summary.replace({"dataset": {"gallery360": "mine"}, "train_dataset": {"gallery360": "mine"}})
    table = published_table(published_for(["cviq"]), renamed, {"mine": "cviq", "other": "images"})
    (row,) = [dict(zip(table.columns, row, strict=True)) for row in table.rows]
    assert row["dataset"] == "mine"
    assert row["SRCC"] == "0.9801"
    assert row[OURS].startswith("SRCC 0.870 [0.850, 0.890]")


@pytest.mark.parametrize("name", ["cviq", "my_cviq"])
def test_dataset_without_trained_students_has_no_result_of_ours(tables, name):
    table = published_table(published_for(["cviq"]), tables.summary, {name: "cviq"})
    (row,) = [dict(zip(table.columns, row, strict=True)) for row in table.rows]
    assert row["dataset"] == name
    assert row[OURS] == "–"
