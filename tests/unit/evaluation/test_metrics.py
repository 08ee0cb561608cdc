import numpy as np
import pandas as pd
import pytest

from iqadistill.errors import InputError
from iqadistill.evaluation import evaluate_predictions, fit_logistic, krcc, plcc, rmse, srcc
from iqadistill.table_schemas import SCHEMAS
from iqadistill.tables import as_table


def test_metrics_are_those_of_the_test_images(toy_results):
    toy = toy_results()
    table = evaluate_predictions(toy.predictions, toy.splits)
    assert table.schema.equals(SCHEMAS["metrics"])
    assert len(table) == 4 * len(toy.VARIANTS)
    row = table.to_pandas().query("selector == 'residual' and keep == 0.2 and split == 2").iloc[0]
    frame = toy.predictions.to_pandas().query("selector == 'residual' and keep == 0.2 and split == 2")
    role = frame.image_id.map(toy.roles(2))
    test, train = frame[role == "test"], frame[role == "train"]
    mapped = fit_logistic(train.prediction, train.score)(test.prediction)
    assert row.n == 10
    assert row.srcc == srcc(test.prediction, test.score)
    assert row.krcc == krcc(test.prediction, test.score)
    assert row.plcc_raw == plcc(test.prediction, test.score)
    assert row.plcc == plcc(mapped, test.score)
    assert row.rmse == rmse(mapped, test.score)


def test_logistic_does_not_depend_on_test_scores(toy_results):
    toy = toy_results()
    frame = toy.predictions.to_pandas().query("split == 1")
    tested = (frame.image_id.map(toy.roles(1)) == "test").to_numpy()
    before = evaluate_predictions(as_table(frame, "predictions"), toy.splits).to_pandas()
    # the mapped predictions stay the same, so scores shifted by 2 shift each error by 2
    moved = frame.assign(score=frame.score + 2.0 * tested)
    after = evaluate_predictions(as_table(moved, "predictions"), toy.splits).to_pandas()
    np.testing.assert_allclose(after.plcc, before.plcc)
    for variant, rows in frame[tested].groupby(["sampler", "encoder", "selector", "keep"]):
        same = (before[["sampler", "encoder", "selector", "keep"]] == list(variant)).all(axis=1)
        train = frame[~tested & (frame[["sampler", "encoder", "selector", "keep"]] == list(variant)).all(axis=1)]
        mapped = fit_logistic(train.prediction, train.score)(rows.prediction)
        assert after[same].rmse.item() == pytest.approx(rmse(mapped, rows.score + 2.0))


def test_another_dataset_is_tested_on_all_images_with_the_logistic_of_the_training_dataset(toy_results):
    toy = toy_results()
    frame = toy.predictions.to_pandas()
    other = frame.assign(dataset="other", image_id="other/" + frame.image_id)
    both = as_table(pd.concat([frame, other]), "predictions")
    table = evaluate_predictions(both, toy.splits).to_pandas()
    assert (table[table.dataset == "other"].n == 40).all()
    pd.testing.assert_frame_equal(
        table[table.dataset == "toy"].reset_index(drop=True),
        evaluate_predictions(toy.predictions, toy.splits).to_pandas(),
    )


def test_constant_predictions_have_no_correlation_and_raise_a_warning(toy_results):
    toy = toy_results()
    frame = toy.predictions.to_pandas().query("selector == 'all' and sampler == 'erp'").assign(prediction=0.5)
    with pytest.warns(UserWarning, match="4 of 4 logistic fits"):
        table = evaluate_predictions(as_table(frame, "predictions"), toy.splits).to_pandas()
    assert table[["srcc", "plcc", "plcc_raw", "krcc"]].isna().all(axis=None)
    assert np.isfinite(table.rmse).all() and set(table.mapping) == {"line"}


@pytest.mark.parametrize(
    ("remove", "names"),
    [
        (lambda toy: toy.splits.clear(), r"splits: .*'toy'"),
        (lambda toy: toy.splits.update(toy=toy.splits["toy"].slice(1)), r"splits of toy: .*'image00'.*\b0\b"),
    ],
)
def test_missing_splits_are_named(toy_results, remove, names):
    toy = toy_results()
    remove(toy)
    with pytest.raises(InputError, match=names):
        evaluate_predictions(toy.predictions, toy.splits)


def test_without_predictions_for_training_images_there_is_no_logistic(toy_results):
    toy = toy_results()
    frame = toy.predictions.to_pandas().query("sampler == 'erp'")
    tested = pd.concat(
        [rows[(rows.image_id.map(toy.roles(s)) == "test").to_numpy()] for s, rows in frame.groupby("split")]
    )
    table, whole = (
        evaluate_predictions(as_table(rows, "predictions"), toy.splits).to_pandas() for rows in (tested, frame)
    )
    mapped = ["plcc", "rmse", "mapping"]
    assert table[mapped].isna().all(axis=None) and set(whole.mapping) == {"logistic4"}
    pd.testing.assert_frame_equal(table.drop(columns=mapped), whole.drop(columns=mapped))
