"""Names in figures are drawn as they are, and logarithmic axes need no formulas."""

import numpy as np
import pandas as pd
import pytest

from iqadistill.figures.drawing.saving import save_figure
from iqadistill.figures.drawing.style import PowerFormatter, label_powers, new_figure, styled
from iqadistill.figures.kept_patches import plot_kept_patches

NAMES = ["cost $5 and $6", "a$x_{$b", r"\frac{1$", "<b>&", "图片"]


def texts(figure):
    return {text.get_text() for text in figure.findobj(lambda artist: hasattr(artist, "get_parse_math"))}


@pytest.mark.parametrize("name", NAMES)
def test_names_of_images_are_drawn_as_they_are(name):
    patches = pd.DataFrame({"image_id": name, "patch_id": [0, 1], "x": [0, 9], "y": 0, "size": 8})
    patches = patches.assign(yaw=np.nan, pitch=np.nan, fov=np.nan)
    selection = pd.DataFrame({"patch_id": [0, 1], "rank": [1, 0], "residual": 0.0})
    figure, _ = plot_kept_patches({name: np.zeros((40, 60, 3), np.uint8)}, patches, {"residual": selection}, 0.5)
    assert name in texts(figure)


@styled
def odd_figure(names):
    figure = new_figure(4, 3)
    axes = figure.subplots()
    for place, name in enumerate(names):
        axes.plot([1, 2], [10.0**place, 1.0], label=name)
        axes.text(1, 1, name)
    axes.set_xticks(range(len(names)), names)
    axes.set(title=names[0], xlabel=names[1], ylabel=names[2])
    axes.set_yscale("log")
    label_powers(axes.yaxis)
    axes.legend(title=names[0])
    return figure


def test_figure_of_odd_names_is_saved(tmp_path):
    figure = odd_figure(NAMES)
    save_figure(figure, pd.DataFrame({"name": NAMES}), tmp_path / "figure", tmp_path / "table")
    assert {*NAMES, "10²"} <= texts(figure) and not any("mathdefault" in text for text in texts(figure))
    assert (tmp_path / "figure.svg").stat().st_size > 1000


@pytest.mark.parametrize(("value", "label"), [(1e-3, "10⁻³"), (100.0, "10²"), (1.0, "10⁰")])
def test_powers_are_plain_text(value, label):
    figure = odd_figure(NAMES)
    formatter = figure.axes[0].yaxis.get_major_formatter()
    assert isinstance(formatter, PowerFormatter) and formatter(value) == label
