"""Distributions of the patches of panorama samplers."""

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from iqadistill.errors import InputError
from iqadistill.panorama import angles_to_vectors, pixels_to_angles
from iqadistill.sampling import sample_erp, sample_latitude, sample_scanpath, sample_sphere
from iqadistill.tables import as_table


def panoramas(count, width=1024, height=512):
    """Table "images" of panoramas without files."""
    rows = {"image_id": [f"image{i}" for i in range(count)], "width": width, "height": height, "status": "ok"}
    return as_table(pd.DataFrame(rows), "images")


def test_erp_is_uniform_on_the_plane():
    rows = sample_erp(panoramas(50), count=40, size=128, seed=0).to_pandas()
    assert stats.kstest(rows["yaw"], stats.uniform(-np.pi, 2 * np.pi).cdf).pvalue > 1e-3
    assert stats.kstest(rows["pitch"], stats.uniform(-np.pi / 2, np.pi).cdf).pvalue > 1e-3


def test_latitude_density_is_a_power_of_the_cosine():
    rows = sample_latitude(panoramas(50), count=40, size=128, seed=0).to_pandas()
    assert stats.kstest(rows["pitch"], lambda p: 0.5 + p / np.pi + np.sin(2 * p) / (2 * np.pi)).pvalue > 1e-3
    rows = sample_latitude(panoramas(50), count=40, size=128, seed=0, exponent=1).to_pandas()
    assert stats.kstest(np.sin(rows["pitch"]), stats.uniform(-1, 2).cdf).pvalue > 1e-3
    assert stats.kstest(rows["yaw"], stats.uniform(-np.pi, 2 * np.pi).cdf).pvalue > 1e-3


@pytest.mark.parametrize("projection", ["viewport", "crop"])
def test_latitude_patch_count_varies(projection):
    rows = sample_latitude(panoramas(200), count=40, size=128, seed=0, projection=projection).to_pandas()
    counts = rows.groupby("image_id").size()
    assert counts.max() == 40
    assert 20 < counts.min() < 40
    assert 36 < counts.mean() < 40


def test_latitude_gives_every_image_a_patch():
    counts = sample_latitude(panoramas(200), count=1, size=128, seed=0).to_pandas().groupby("image_id").size()
    assert len(counts) == 200


def test_sphere_is_uniform_without_gaps():
    rows = sample_sphere(panoramas(50), count=40, size=128, seed=0).to_pandas()
    assert stats.kstest(np.sin(rows["pitch"]), stats.uniform(-1, 2).cdf).pvalue > 1e-3
    assert stats.kstest(rows["yaw"], stats.uniform(-np.pi, 2 * np.pi).cdf).pvalue > 1e-3
    vectors = angles_to_vectors(rows["yaw"], rows["pitch"]).reshape(50, 40, 3)
    nearest = np.sort(np.einsum("mik,mjk->mij", vectors, vectors), axis=-1)[:, :, -2]
    spacing = np.sqrt(4 * np.pi / 40)
    assert np.arccos(nearest).min() > 0.6 * spacing
    assert np.arccos(nearest).max() < 1.4 * spacing


@pytest.mark.parametrize("sample", [sample_erp, sample_latitude])
def test_crops_are_inside_and_angles_are_their_centres(sample):
    rows = sample(panoramas(20), count=40, size=128, seed=0, projection="crop").to_pandas()
    assert rows["x"].between(0, 1023).all() and rows["y"].between(0, 384).all()
    assert (rows["x"] > 1024 - 128).any()
    yaw, pitch = pixels_to_angles(rows["x"] + 63.5, rows["y"] + 63.5, 1024, 512)
    np.testing.assert_allclose(rows["yaw"], yaw)
    np.testing.assert_allclose(rows["pitch"], pitch)
    assert rows["fov"].isna().all()


def test_scanpath_crops_are_centred_on_the_fixations(tmp_path):
    path = tmp_path / "seen.csv"
    path.write_text("image,viewer,order,yaw,pitch\nimage0,a,0,3.1,0.0\nimage0,a,1,0.0,1.5\n")
    rows = sample_scanpath(panoramas(1), count=9, size=128, seed=0, projection="crop", scanpaths=path).to_pandas()
    assert rows["fov"].isna().all() and list(rows["y"]) == [192, 0]  # the second is moved inside
    yaw, pitch = pixels_to_angles(rows["x"] + 63.5, rows["y"] + 63.5, 1024, 512)
    np.testing.assert_allclose(rows[["yaw", "pitch"]], np.stack([yaw, pitch], 1))
    assert abs(rows["yaw"][0] - 3.1) < 2 * np.pi / 1024


def test_erp_crops_are_uniform_up_to_the_borders():
    y = sample_erp(panoramas(50), count=40, size=128, seed=0, projection="crop").to_pandas()["y"]
    assert stats.kstest(y, stats.uniform(-0.5, 385).cdf).pvalue > 1e-3


def test_panorama_smaller_than_the_crop_is_refused():
    with pytest.raises(InputError, match=r"image0: 1024 x 512 .* 600 x 600"):
        sample_erp(panoramas(1), count=4, size=600, seed=0, projection="crop")


def test_latitude_candidate_count_does_not_depend_on_rounding_errors(monkeypatch):
    first = sample_latitude(panoramas(1), count=250, size=128, seed=0)  # 500.5 candidates
    for factor in (1 - 1e-13, 1 + 1e-13):
        mean = np.mean
        monkeypatch.setattr(np, "mean", lambda values, mean=mean, factor=factor: factor * mean(values))
        assert sample_latitude(panoramas(1), count=250, size=128, seed=0).equals(first)
        monkeypatch.undo()


def test_unknown_projection_is_refused():
    with pytest.raises(InputError, match=r"projection.*'cube'"):
        sample_erp(panoramas(1), count=4, size=64, seed=0, projection="cube")
    with pytest.raises(InputError, match=r"projection.*'cube'"):
        sample_scanpath(panoramas(1), count=4, size=64, seed=0, projection="cube")
