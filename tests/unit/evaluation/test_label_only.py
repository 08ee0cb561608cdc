import numpy as np
import pandas as pd

from iqadistill.evaluation import evaluate_predictions, predict_label_only
from iqadistill.table_schemas import SCHEMAS
from iqadistill.tables import as_table


def tables(rows, roles):
    frame = pd.DataFrame(rows, columns=["image_id", "distortion", "level", "quality"]).assign(dataset="toy")
    splits = pd.DataFrame({"split": 0, "image_id": frame.image_id, "role": roles})
    return as_table(frame, "images"), as_table(splits, "splits")


def test_prediction_is_the_mean_of_the_label_with_fallbacks():
    images, splits = tables(
        [
            ("a", "blur", 1, 0.9),
            ("b", "blur", 1, 0.7),
            ("c", "blur", 2, 0.1),
            ("d", "blur", 1, 0.0),
            ("e", "blur", 5, 0.0),
            ("f", "noise", 1, 0.0),
        ],
        ["train", "train", "train", "test", "test", "test"],
    )
    table = predict_label_only(images, splits)
    assert table.schema.equals(SCHEMAS["predictions"])
    predicted = dict(zip(table["image_id"].to_pylist(), table["prediction"].to_pylist(), strict=True))
    mean = (0.9 + 0.7 + 0.1) / 3
    expected = {"a": 0.8, "b": 0.8, "c": 0.1, "d": 0.8, "e": mean, "f": mean}
    assert all(np.isclose(predicted[name], value) for name, value in expected.items())
    assert set(table["student"].to_pylist()) == {"label_only"}


def test_predictions_do_not_depend_on_test_scores(toy_results):
    toy = toy_results()
    frame, roles = toy.images.to_pandas(), toy.roles(0)
    splits = as_table(toy.splits["toy"].to_pandas().query("split == 0"), "splits")
    moved = frame.assign(quality=frame.quality.where((frame.image_id.map(roles) != "test").to_numpy(), 0.0))
    first, second = (predict_label_only(as_table(images, "images"), splits) for images in (frame, moved))
    assert first["prediction"].equals(second["prediction"])


def test_predictions_can_be_evaluated(toy_results):
    toy = toy_results()
    metrics = evaluate_predictions(predict_label_only(toy.images, toy.splits["toy"]), toy.splits)
    assert metrics["n"].to_pylist() == [10, 10, 10, 10]


def test_dataset_without_labels_has_no_label_only_control():
    images, splits = tables([("a", None, None, 0.9), ("b", "", None, 0.7)], ["train", "test"])
    assert len(predict_label_only(images, splits)) == 0
