import pandas as pd

from iqadistill.report.mapping import mapping_warnings


def fits(student, mappings, dataset="own"):
    return pd.DataFrame({"dataset": dataset, "train_dataset": "own", "student": student, "mapping": mappings})


def test_lines_are_counted_for_each_dataset_and_student():
    metrics = pd.concat([fits("mlp", ["logistic4", "line", "line"]), fits("adtrs", ["logistic4", "logistic4"])])
    (sentence,) = mapping_warnings(metrics)
    assert sentence.startswith("own: in 2 of 3 logistic fits of mlp")


def test_a_fit_that_serves_other_datasets_is_counted_once():
    metrics = pd.concat([fits("mlp", ["line"]), fits("mlp", ["line"], dataset="other")])
    assert "in 1 of 1 logistic fits" in mapping_warnings(metrics)[0]


def test_students_without_a_mapping_are_not_counted():
    assert mapping_warnings(fits("tool", [None, None])) == []
