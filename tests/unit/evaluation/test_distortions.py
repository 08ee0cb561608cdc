import numpy as np
import pandas as pd

from iqadistill.evaluation import evaluate_predictions
from iqadistill.evaluation.correlation import srcc
from iqadistill.evaluation.distortions import evaluate_distortions
from iqadistill.table_schemas import SCHEMAS
from iqadistill.tables import as_table


def with_types(images, types):
    return as_table(images.to_pandas().assign(distortion=types), "images")


def distortions_of(toy, images):
    metrics = evaluate_predictions(toy.predictions, toy.splits)
    return evaluate_distortions(metrics, toy.predictions, {"toy": images}, toy.splits)


def test_each_type_has_its_own_correlation_on_test_images(toy_results):
    toy = toy_results()
    table = distortions_of(toy, toy.images)
    assert table.schema.equals(SCHEMAS["distortions"])
    rows = table.to_pandas()
    assert len(rows) == len(toy.VARIANTS) * 4 * 3
    roles, frame = toy.roles(2), toy.predictions.to_pandas()
    noise = toy.images.to_pandas().set_index("image_id").distortion == "noise"
    own = frame[(frame.split == 2) & (frame.selector == "residual") & (frame.keep == 0.2)].set_index("image_id")
    own = own[(roles == "test").reindex(own.index) & noise.reindex(own.index)]
    shown = rows[(rows.split == 2) & (rows.selector == "residual") & (rows.keep == 0.2)].set_index("distortion")
    assert shown.srcc["noise"] == srcc(own.prediction, own.score) and shown.images["noise"] == len(own)


def test_row_without_a_type_is_of_all_test_images(toy_results):
    toy = toy_results()
    metrics = evaluate_predictions(toy.predictions, toy.splits).to_pandas()
    rows = distortions_of(toy, toy.images).to_pandas()
    pooled = rows[rows.distortion == ""]
    np.testing.assert_array_equal(pooled.srcc, metrics.srcc)
    assert (pooled.images == 10).all()


def test_type_without_test_images_has_rows_of_zero_images(toy_results):
    toy = toy_results()
    types = np.where(np.arange(40) == toy.images["image_id"].to_pylist().index("image07"), "rare", "blur")
    rows = distortions_of(toy, with_types(toy.images, types)).to_pandas()
    rare = rows[rows.distortion == "rare"]
    assert len(rare) == len(toy.VARIANTS) * 4
    assert set(rare.images) == {0, 1} and rare.srcc.isna().all()


def test_labels_without_types_leave_all_test_images_only(toy_results):
    toy = toy_results()
    rows = distortions_of(toy, with_types(toy.images, None)).to_pandas()
    assert set(rows.distortion) == {""}


def test_students_tested_on_other_datasets_are_left_out(toy_results):
    toy = toy_results()
    frame = toy.predictions.to_pandas()
    toy.predictions = as_table(pd.concat([frame, frame.assign(dataset="other")]), "predictions")
    assert set(distortions_of(toy, toy.images)["dataset"].to_pylist()) == {"toy"}
