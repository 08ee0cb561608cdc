import inspect

import pandas as pd
import pytest

from iqadistill.report.published import TABLE, published_for
from iqadistill.report.tables import published_table


def test_published_numbers_have_a_source_and_a_protocol():
    rows = pd.read_csv(TABLE)
    assert rows.notna().all().all()
    assert set(rows.metric) == {"srcc", "plcc"}
    assert rows.value.between(0, 1).all()
    assert not rows.duplicated(["dataset", "method", "metric"]).any()


def test_only_numbers_on_the_studys_datasets_are_listed():
    assert published_for(["gallery360", "gallery2d", "noise360"]).empty
    assert set(published_for(["gallery360", "cviq"]).dataset) == {"cviq"}
    cviq = published_for(["cviq"]).set_index("metric").value
    assert (cviq["srcc"], cviq["plcc"]) == (0.9801, 0.9836)
    assert inspect.signature(published_for).parameters["datasets"].default is inspect.Parameter.empty


def test_an_entry_is_matched_by_its_source_whatever_its_name(tables):
    ours = tables.summary.replace({"dataset": {"gallery360": "mine"}, "train_dataset": {"gallery360": "mine"}})
    table = published_table(published_for(["cviq"]), ours, {"mine": "cviq", "other": "images"})
    (row,) = [dict(zip(table.columns, row, strict=True)) for row in table.rows]
    assert row["dataset"] == "mine"
    assert row["SRCC"] == "0.9801"
    assert row["ours on it, all patches"].startswith("SRCC 0.870 [0.850, 0.890]")


@pytest.mark.parametrize("name", ["cviq", "my_cviq"])
def test_a_dataset_that_no_student_was_trained_on_has_no_number_of_ours(tables, name):
    table = published_table(published_for(["cviq"]), tables.summary, {name: "cviq"})
    (row,) = [dict(zip(table.columns, row, strict=True)) for row in table.rows]
    assert row["dataset"] == name
    assert row["ours on it, all patches"] == "–"
