import numpy as np
import pandas as pd

from iqadistill.report.tables import accuracy_tables
from iqadistill.report.undefined import undefined_warnings

VARIANT = {"train_dataset": "own", "sampler": "erp", "encoder": "lite0", "teacher": "", "student": "mlp"}


def metrics(selectors, splits=3):
    rows = [
        {"dataset": "own", **VARIANT, "selector": selector, "keep": 1.0 if selector == "all" else 0.2}
        | {"split": split, "srcc": 0.8}
        for selector in selectors
        for split in range(splits)
    ]
    return pd.DataFrame(rows)


def test_student_is_named_with_variant_splits_and_reason():
    table = metrics(["all", "residual"])
    assert undefined_warnings(table) == []
    table.loc[(table.selector == "residual") & (table.split != 1), "srcc"] = np.nan
    (sentence,) = undefined_warnings(table)
    for value in ("own, mlp", "residual at keep 0.2 (erp, lite0)", "splits 0, 2 of 3", "equal", "undefined"):
        assert value in sentence


def test_students_of_another_dataset_are_named_with_it():
    (sentence,) = undefined_warnings(metrics(["all"]).assign(dataset="other", srcc=np.nan))
    assert "other, mlp" in sentence and "(erp, lite0, trained on own)" in sentence


def test_many_variants_are_counted():
    (sentence,) = undefined_warnings(metrics([f"selector{n}" for n in range(5)]).assign(srcc=np.nan))
    assert "selector2" in sentence and "selector3" not in sentence and "2 more variants" in sentence


def test_tables_say_undefined_where_a_correlation_is(tables):
    summary = tables.summary
    summary.loc[(summary.selector == "residual") & (summary.keep == 0.2), ["mean", "low", "high", "median"]] = np.nan
    srcc = next(table for table in accuracy_tables(summary) if "SRCC" in table.heading)
    (row,) = [row for row in srcc.rows if "undefined" in row]
    assert row.count("undefined") == 2 and "nan" not in " ".join(row)
