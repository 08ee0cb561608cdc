import numpy as np
import pytest

from iqadistill.evaluation.stability import flip_stability
from iqadistill.table_schemas import SCHEMAS
from iqadistill.tables import as_table


def test_stability_is_the_mean_change_on_test_images_of_random_splits(toy_results):
    toy = toy_results()
    frame = toy.predictions.to_pandas()
    tested = np.concatenate([rows.image_id.map(toy.roles(split)) == "test" for split, rows in frame.groupby("split")])
    frame = frame.sort_values("split", kind="stable").reset_index(drop=True)
    change = np.where(tested, 0.1 * (1 + frame.split), 5.0)  # training images do not count
    frame["flipped"] = (frame.prediction - change).where(frame.selector == "residual")
    table = flip_stability(as_table(frame, "predictions"), toy.splits, {"toy": 3})
    assert table.schema.equals(SCHEMAS["stability"])
    rows = table.to_pandas()
    assert set(rows.selector) == {"residual"} and list(rows.splits) == [3, 3]
    assert list(rows.difference) == pytest.approx([0.2, 0.2])
    assert list(rows["std"]) == pytest.approx([0.1, 0.1])


def test_predictions_without_flip_have_no_stability(toy_results):
    toy = toy_results()
    table = flip_stability(toy.predictions, toy.splits, {})
    assert len(table) == 0 and table.schema.equals(SCHEMAS["stability"])
