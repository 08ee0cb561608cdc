import math

import numpy as np
import pandas as pd
import torch

from iqadistill.figures.drawing.patch_cover import mean_cover
from iqadistill.figures.drawing.patch_map import plot_patch_map
from iqadistill.panorama import extract_viewports

FLAT = {"yaw": np.nan, "pitch": np.nan, "fov": np.nan}


def test_overlapping_crops_are_averaged_and_uncovered_cells_are_nan():
    crops = pd.DataFrame({"x": [0, 20], "y": [0, 10], "size": 40, "quality": [0.2, 0.6], **FLAT})
    mean = mean_cover(crops, 80, 60, 80)
    assert mean.shape == (60, 80)
    assert mean[5, 5] == 0.2 and mean[45, 55] == 0.6 and math.isclose(mean[20, 30], 0.4)
    assert np.isnan(mean[5, 45]) and np.isnan(mean[50, 70])
    assert np.isfinite(mean).sum() == 2 * 40 * 40 - 20 * 30


def test_crop_of_a_panorama_continues_beyond_the_seam():
    crop = pd.DataFrame({"x": [90], "y": [10], "size": 20, "quality": [0.5], "yaw": 3.1, "pitch": 0.2, "fov": np.nan})
    covered = np.isfinite(mean_cover(crop, 100, 50, 100))
    assert covered[10:30, 90:].all() and covered[10:30, :10].all() and covered.sum() == 400


def test_viewport_covers_exactly_its_pixels():
    """Painting the covered cells fills the viewport, and a wider viewport shows unpainted pixels all around."""
    for yaw, pitch in ((0.3, 0.1), (3.0, -0.9), (-2.0, 1.5)):
        rows = {"x": np.nan, "y": np.nan, "size": 64, "quality": [0.5], "yaw": yaw, "pitch": pitch, "fov": 1.2}
        covered = np.isfinite(mean_cover(pd.DataFrame(rows), 720, 360, 720))
        painted = torch.from_numpy(255.0 * covered).expand(3, -1, -1)
        viewport = extract_viewports(painted, np.array([yaw]), np.array([pitch]), 1.2, 64)[0, 0]
        assert viewport[1:-1, 1:-1].min() > 254.99  # interpolation at the border reaches half a pixel beyond
        wider = extract_viewports(painted, np.array([yaw]), np.array([pitch]), 1.4, 64)[0, 0]
        edge = torch.cat([wider[0], wider[-1], wider[:, 0], wider[:, -1]])
        assert edge.max() < 0.01


def test_colour_scale_of_nearly_equal_scores_has_a_minimum_range():
    crops = pd.DataFrame({"x": [0, 20], "y": [0, 10], "size": 40, "quality": [0.5, 0.501], **FLAT})
    figure = plot_patch_map(np.zeros((60, 80, 3), np.uint8), crops, "title")
    low, high = figure.axes[1].get_ylim()
    assert math.isclose(high - low, 0.05, rel_tol=1e-3) and low < 0.5 < high
