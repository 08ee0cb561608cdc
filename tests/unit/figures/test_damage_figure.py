import numpy as np
import pandas as pd
import pytest

from iqadistill.datasets.regions import Region
from iqadistill.figures.damage import Example, plot_damage


@pytest.fixture
def damage():
    """Rows of two panels, one of them without a student."""
    rows = [
        {"dataset": dataset, "sampler": "lat", "encoder": "lite0", "student": student, "selector": selector}
        | {"region": region, "level": None, "auc": value, "low": value - 0.05, "high": value + 0.05, "images": 40}
        for dataset, orders in (
            ("rooms", [("mlp", "all", 0.8), ("", "residual", 0.4), ("", "position", 0.5)]),
            ("photos", [("", "residual", 0.6)]),
        )
        for student, selector, value in orders
        for region in (None, "half", "tile", "band")
    ]
    return pd.DataFrame(rows)


def test_every_order_of_patches_has_a_line_and_each_kind_a_mark(damage):
    figure, table = plot_damage(damage, {}, {"rooms": "simulated scores"})
    assert table is damage
    rooms, photos = figure.axes
    assert [tick.get_text() for tick in rooms.get_yticklabels()] == [
        "patch scores of mlp",
        "residual",
        "position alone",
    ]
    assert [tick.get_text() for tick in photos.get_yticklabels()] == ["residual"]
    assert rooms.get_title().startswith("rooms (simulated scores)") and "40 images" in rooms.get_xlabel()
    legend = [text.get_text() for text in figure.legends[0].get_texts()]
    assert legend == ["chance", "damaged half", "damaged tile", "damaged band"]


def test_example_shows_patch_scores_and_the_border_of_the_region(damage):
    patches = pd.DataFrame({"x": [0, 32], "y": [0, 16], "size": 16, "quality": [0.2, 0.7]})
    region = Region("tile", 0.5, 0.5, 0.25, 0.5)
    example = Example("one", np.full((32, 64, 3), 120, np.uint8), region, patches, "mlp", 0.75)
    figure, _ = plot_damage(damage, {("rooms", "lat", "lite0"): example})
    (beside,) = (axes for axes in figure.axes if axes.get_title().startswith("one: AUC 0.75"))
    (border,) = (path for collection in beside.collections for path in collection.get_paths() if len(path.vertices))
    low, high = border.vertices.min(0), border.vertices.max(0)
    np.testing.assert_allclose([*low, *high], [32, 16, 48, 32], atol=0.6)
