import numpy as np
import pandas as pd
import pytest

from iqadistill.figures.captions import render_text
from iqadistill.figures.distortions import FIGURE, MIN_IMAGES, plot_distortions

PANEL = {"dataset": "photos", "train_dataset": "photos", "sampler": "random_crops", "encoder": "lite0"}


def rows(distortion, values, images=12, **changes):
    variant = {**PANEL, "selector": "all", "keep": 1.0, "teacher": "", "student": "mlp", **changes}
    images = np.broadcast_to(images, len(values))
    return pd.DataFrame({"split": range(len(values)), "srcc": values, "images": images}).assign(
        **variant, distortion=distortion
    )


def texts(figure):
    return [text.get_text() for axes in figure.axes for text in axes.texts]


def ticks(figure):
    return [tick.get_text() for tick in figure.axes[0].get_yticklabels()]


@pytest.fixture
def distortions():
    """All test images and two types of distortion, in five splits."""
    return pd.concat(
        [
            rows("white_noise", [0.1, 0.2, 0.3, 0.4, 0.9], images=[10, 11, 12, 12, 12]),
            rows("blur", [0.9, 0.8, 0.7, 0.6, 0.5]),
            rows("", [0.8, 0.8, 0.8, 0.9, 0.9], images=24),
        ]
    )


def test_types_follow_all_test_images_with_median_and_quartiles(distortions):
    figure, table = plot_distortions(distortions, ["mlp"])
    assert list(table.distortion) == ["all test images", "blur", "white_noise"]
    noise = table.set_index("distortion").loc["white_noise"]
    assert (noise["median"], noise.low, noise.high, noise.splits) == (0.3, 0.2, 0.4, 5)
    assert ticks(figure) == ["all test images (24)", "blur (12)", "white noise (10 to 12)"]
    assert texts(figure) == [] and set(table.undefined) == {""}


def test_undefined_types_are_named_with_the_reason(distortions):
    few, constant = rows("jpeg", [0.5] * 5, images=MIN_IMAGES - 1), rows("contrast", [np.nan] * 5)
    figure, table = plot_distortions(pd.concat([distortions, few, constant]), ["mlp"])
    assert sorted(texts(figure)) == [
        "undefined: constant scores or predictions in 5 of 5 splits",
        "undefined: fewer than 10 test images in 5 of 5 splits",
    ]
    undefined = table.set_index("distortion").loc[["jpeg", "contrast"]]
    assert undefined["median"].isna().all() and (undefined.splits == 0).all()


def test_type_that_is_undefined_in_some_splits_says_so(distortions):
    partly = rows("jpeg", [0.5, 0.6, 0.7, 0.8, 0.9], images=[12, 12, 12, 3, 12])
    figure, table = plot_distortions(pd.concat([distortions, partly]), ["mlp"])
    assert ticks(figure)[2] == "jpeg (3 to 12; defined in 4 splits)"
    row = table.set_index("distortion").loc["jpeg"]
    assert row["median"] == pytest.approx(0.65) and row.undefined == "fewer than 10 test images in 1 of 5 splits"


def test_selected_patches_stand_beside_all_patches(distortions):
    kept = distortions.assign(selector="residual", keep=0.5)
    figure, table = plot_distortions(pd.concat([distortions, kept]), ["mlp"])
    assert len(table) == 6
    legend = [text.get_text() for text in figure.legends[0].get_texts()]
    assert legend == ["mlp: all patches", "mlp: residual at keep 0.5"]


def test_labels_without_types_are_said_to_have_none(distortions):
    figure, table = plot_distortions(distortions[distortions.distortion == ""], ["mlp"])
    assert "no types of distortion" in figure.axes[0].get_title() and len(table) == 1


def test_caption_gives_the_numbers_of_test_images(distortions):
    _, table = plot_distortions(distortions, ["mlp"])
    caption = render_text("distortions", "caption", study={}, settings={}, table=table)
    assert "here 10 to 12" in caption
    assert f"fewer than {MIN_IMAGES} test images" in FIGURE.caption
    _, pooled = plot_distortions(distortions[distortions.distortion == ""], ["mlp"])
    assert "split, here" not in render_text("distortions", "caption", study={}, settings={}, table=pooled)
