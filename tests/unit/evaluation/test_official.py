import numpy as np
import pandas as pd
import pytest

from iqadistill.evaluation import compare_variants, evaluate_predictions, summarise
from iqadistill.evaluation.official import evaluate_official
from iqadistill.evaluation.random_splits import over_random_splits
from iqadistill.table_schemas import METRICS, SCHEMAS
from iqadistill.tables import as_table

OFFICIAL = {"toy": 3}


@pytest.fixture
def toy(toy_results):
    """Small results whose last split is the official one, with larger predictions errors and another test size."""
    toy = toy_results()
    splits = toy.splits["toy"].to_pandas()
    official = splits.split == 3
    splits.loc[official, "role"] = np.where(np.arange(official.sum()) < 24, "test", "train")
    toy.splits["toy"] = as_table(splits, "splits")
    return toy


def without(table, split):
    frame = table.to_pandas()
    return as_table(frame[frame.split != split], "predictions" if "prediction" in frame else "metrics")


def test_metrics_keep_the_official_split_and_summaries_leave_it_out(toy):
    metrics = evaluate_predictions(toy.predictions, toy.splits)
    assert set(metrics["split"].to_pylist()) == {0, 1, 2, 3}
    summary = summarise(metrics, toy.splits, OFFICIAL)
    splits = toy.splits["toy"].to_pandas()
    random_splits = {"toy": as_table(splits[splits.split != 3], "splits")}
    expected = summarise(without(metrics, 3), random_splits)
    pd.testing.assert_frame_equal(summary.to_pandas(), expected.to_pandas())
    assert set(summary["splits"].to_pylist()) == {3}


def test_paired_tests_leave_the_official_split_out(toy):
    metrics = evaluate_predictions(toy.predictions, toy.splits)
    splits = toy.splits["toy"].to_pandas()
    random_splits = {"toy": as_table(splits[splits.split != 3], "splits")}
    expected = compare_variants(without(metrics, 3), random_splits).to_pandas()
    pd.testing.assert_frame_equal(compare_variants(metrics, toy.splits, OFFICIAL).to_pandas(), expected)
    assert not compare_variants(metrics, toy.splits).to_pandas().equals(expected)


def test_trainings_on_the_official_split_are_no_part_of_cross_dataset_summaries(toy):
    frame = toy.predictions.to_pandas()
    other = frame.assign(dataset="other", image_id="other/" + frame.image_id)
    both = as_table(pd.concat([frame, other]), "predictions")
    metrics = evaluate_predictions(both, toy.splits)
    summary = summarise(metrics, toy.splits, OFFICIAL).to_pandas()
    assert (summary[summary.dataset == "other"].splits == 3).all()


def test_official_split_has_its_own_numbers_with_intervals_over_its_contents(toy):
    table = evaluate_official(toy.predictions, toy.splits, toy.tables, OFFICIAL, draws=100)
    assert table.schema.equals(SCHEMAS["official"])
    rows = table.to_pandas()
    assert len(rows) == len(toy.VARIANTS) * len(METRICS)
    assert (rows.n == 24).all()
    assert ((rows.low < rows.value) & (rows.value < rows.high)).all()
    metrics = (
        evaluate_predictions(toy.predictions, toy.splits).to_pandas().query("split == 3 and selector == 'residual'")
    )
    shown = rows[(rows.selector == "residual") & (rows.metric == "plcc")]
    np.testing.assert_array_equal(np.sort(shown.value), np.sort(metrics.plcc))


def test_official_split_without_predictions_for_training_images_has_no_plcc(toy):
    frame = toy.predictions.to_pandas().merge(toy.splits["toy"].to_pandas(), on=["split", "image_id"])
    tested = frame[frame.role == "test"].drop(columns="role")
    rows = evaluate_official(as_table(tested, "predictions"), toy.splits, toy.tables, OFFICIAL, draws=100).to_pandas()
    logistic = rows.metric.isin(["plcc", "rmse"])
    assert rows[logistic][["value", "low", "high"]].isna().all(axis=None)
    assert rows[~logistic][["value", "low", "high"]].notna().all(axis=None)


def test_dataset_without_official_split_has_no_such_numbers(toy):
    table = evaluate_official(toy.predictions, toy.splits, {}, {}, draws=100)
    assert len(table) == 0 and table.schema.equals(SCHEMAS["official"])


def test_dataset_without_random_splits_is_summarised_over_its_official_one():
    rows = pd.DataFrame({"train_dataset": ["a", "a", "b", "c"], "split": [0, 5, 5, 1]})
    kept = over_random_splits(rows, {"a": 5, "b": 5})
    assert kept.to_records(index=False).tolist() == [("a", 0), ("b", 5), ("c", 1)]
