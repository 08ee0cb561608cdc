"""Simulated scores of one scene and distortion correlate across levels as in KADID-10k."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from iqadistill.datasets.galleries.distortions import LEVELS
from iqadistill.datasets.galleries.random_draws import draw_score
from iqadistill.datasets.simulated_scores import kadid_summary

LABELS = Path(__file__).parents[5] / "shared/labels/kadid10k/dmos.csv"
PAIRS = np.triu_indices(len(LEVELS), 1)


@pytest.mark.skipif(not LABELS.is_file(), reason="KADID-10k's label file is not next to the project")
@pytest.mark.parametrize(("name", "number"), [("gaussian_blur", 1), ("jpeg2000", 9), ("jpeg", 10), ("white_noise", 11)])
def test_scene_correlation_matches_the_label_file(name, number):
    labels = pd.read_csv(LABELS)
    labels[["type", "level"]] = labels.dist_img.str.extract(r"I\d+_(\d+)_(\d+)\.png").astype(int)
    by_level = labels[labels.type == number].pivot(index="ref_img", columns="level", values="dmos")
    expected = by_level.corr().to_numpy()[PAIRS].mean()
    assert np.allclose(kadid_summary().loc[name, "scene_correlation"], expected, atol=1e-4)


def test_drawn_levels_of_a_scene_have_the_correlation_of_kadid():
    drawn = np.array([[draw_score(0, "x", f"scene{i}", "white_noise", level) for level in LEVELS] for i in range(300)])
    expected = kadid_summary().loc[("white_noise", 3), "scene_correlation"]
    assert np.corrcoef(drawn.T)[PAIRS].mean() == pytest.approx(expected, abs=0.08)


def test_scores_of_datasets_and_distortions_are_independent():
    def deviations(source, name):
        return [draw_score(0, source, f"scene{i}", name, 3) for i in range(300)]

    jpeg = deviations("x", "jpeg")
    assert abs(np.corrcoef(jpeg, deviations("y", "jpeg"))[0, 1]) < 0.2
    assert abs(np.corrcoef(jpeg, deviations("x", "white_noise"))[0, 1]) < 0.2
