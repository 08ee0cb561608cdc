import numpy as np
import pandas as pd
import pytest

from iqadistill.evaluation import CrossDatasetTests, evaluate_predictions, level_over_splits, summarise
from iqadistill.evaluation.bootstrap import interval_over_contents, resampled_metric
from iqadistill.table_schemas import METRICS, SCHEMAS
from iqadistill.tables import as_table


def test_summary_has_level_median_and_deviation_of_every_metric(toy_results):
    toy = toy_results()
    metrics = evaluate_predictions(toy.predictions, toy.splits)
    table = summarise(metrics, toy.splits)
    assert table.schema.equals(SCHEMAS["summary"])
    summary, frame = table.to_pandas(), metrics.to_pandas()
    assert len(summary) == len(toy.VARIANTS) * len(METRICS)
    assert (summary.splits == 4).all()
    assert ((summary.low < summary["mean"]) & (summary["mean"] < summary.high)).all()
    one = summary.query("selector == 'random' and keep == 0.5 and metric == 'plcc'").iloc[0]
    values = frame.query("selector == 'random' and keep == 0.5").plcc
    assert (one["mean"], one.low, one.high) == level_over_splits("plcc", values, n_train=30, n_test=10)
    assert one["median"] == pytest.approx(values.median())
    assert one["std"] == pytest.approx(values.std(ddof=1))


def test_undefined_metric_on_one_split_has_no_level(toy_results):
    toy = toy_results()
    metrics = evaluate_predictions(toy.predictions, toy.splits).to_pandas()
    metrics.loc[(metrics.selector == "all") & (metrics.split == 2), "plcc"] = np.nan
    summary = summarise(as_table(metrics, "metrics"), toy.splits).to_pandas()
    undefined = summary[(summary.selector == "all") & (summary.metric == "plcc")]
    assert len(undefined) == 3 and undefined[["mean", "median", "low", "high"]].isna().all(axis=None)
    assert summary.drop(undefined.index)[["mean", "low", "high"]].notna().all(axis=None)


def test_single_split_has_a_mean_and_no_interval(toy_results):
    toy = toy_results()
    metrics = evaluate_predictions(toy.predictions, toy.splits).to_pandas()
    summary = summarise(as_table(metrics[metrics.split == 1], "metrics"), toy.splits).to_pandas()
    assert summary["mean"].notna().all() and summary[["low", "high"]].isna().all(axis=None)


def test_level_on_another_dataset_has_an_interval_over_its_contents(cross_dataset):
    toy, metrics = cross_dataset
    tests = CrossDatasetTests(toy.predictions, toy.splits, toy.tables, draws=150, seed=3)
    summary = summarise(metrics, toy.splits, cross_dataset=tests).to_pandas()
    home = summarise(evaluate_predictions(toy.home, toy.splits), toy.splits).to_pandas()
    pd.testing.assert_frame_equal(summary[summary.dataset == "toy"].reset_index(drop=True), home)
    row = summary.query("dataset == 'other' and student == 'b' and metric == 'srcc'").iloc[0]
    values = metrics.to_pandas().query("dataset == 'other' and student == 'b'").srcc
    z = np.arctanh(values).mean()
    assert (row["mean"], row["median"], row.splits) == (pytest.approx(np.tanh(z)), pytest.approx(values.median()), 4)
    frame = (
        toy.predictions.to_pandas().query("dataset == 'other' and student == 'b'").sort_values(["split", "image_id"])
    )
    predictions = frame.prediction.to_numpy().reshape(4, -1)
    contents = np.arange(40) // 4
    drawn = resampled_metric("srcc", predictions, frame.score.to_numpy()[:40], contents, draws=150, seed=3)
    expected = np.tanh(interval_over_contents(z, np.arctanh(drawn).mean(1), 10))
    assert (row.low, row.high) == pytest.approx(tuple(expected))
    without = summarise(metrics, toy.splits).to_pandas()
    assert without[without.dataset == "other"][["low", "high"]].isna().all(axis=None)
