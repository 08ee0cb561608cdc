import numpy as np
import pandas as pd
import pytest
from PIL import Image

from iqadistill.errors import InputError
from iqadistill.panorama import angles_to_vectors
from iqadistill.sampling import sample_scanpath
from iqadistill.sampling.saliency import SHAPE, spectral_residual
from iqadistill.sampling.virtual_viewers import virtual_scanpaths
from iqadistill.tables import as_table

FLAT = np.zeros(SHAPE)


def generator(seed=0):
    return np.random.default_rng(seed)


@pytest.fixture(scope="module")
def images(tmp_path_factory):
    folder = tmp_path_factory.mktemp("panoramas")
    Image.fromarray(generator().integers(0, 256, (64, 128, 3), dtype=np.uint8)).save(folder / "room.png")
    Image.new("RGB", (128, 64)).save(folder / "night.png")
    names = ["room", "night"]
    paths = [str(folder / f"{name}.png") for name in names]
    rows = {"image_id": names, "path": paths, "width": 128, "height": 64, "status": "ok"}
    return as_table(pd.DataFrame(rows), "images")


def test_region_unlike_its_surroundings_is_salient():
    luminance = np.tile(0.5 + 0.2 * np.sin(np.arange(128) * 2 * np.pi / 8), (64, 1))
    luminance[30:34, 100:104] = generator().random((4, 4))
    saliency = spectral_residual(luminance)
    row, column = np.unravel_index(saliency.argmax(), SHAPE)
    assert abs(row - 31.5) < 5 and abs(column - 101.5) < 5
    assert saliency.min() >= 0 and saliency.max() == 1


def test_saliency_is_equivariant_to_yaw():
    luminance = generator().random(SHAPE)
    np.testing.assert_allclose(
        spectral_residual(np.roll(luminance, 40, 1)), np.roll(spectral_residual(luminance), 40, 1), rtol=1e-2
    )


def test_uniform_image_has_no_saliency():
    assert (spectral_residual(np.full(SHAPE, 0.3)) == 0).all()


def test_viewers_prefer_the_equator():
    _, _, pitch = virtual_scanpaths(FLAT, generator(), viewers=40)
    assert np.mean(np.abs(pitch) < np.radians(30)) > 0.7
    assert abs(np.degrees(np.median(pitch))) < 5


def test_viewers_prefer_salient_regions():
    saliency = FLAT.copy()
    saliency[28:36, 20:28] = 1
    _, yaw, pitch = virtual_scanpaths(saliency, generator(), viewers=40)
    inside = (np.abs(pitch) < np.pi / 16) & (np.abs(yaw - (24 / 128 - 0.5) * 2 * np.pi) < np.pi / 16)
    _, yaw, pitch = virtual_scanpaths(FLAT, generator(), viewers=40)
    by_chance = (np.abs(pitch) < np.pi / 16) & (np.abs(yaw - (24 / 128 - 0.5) * 2 * np.pi) < np.pi / 16)
    assert inside.mean() > 3 * by_chance.mean()


def test_saccade_lengths_are_plausible():
    order, yaw, pitch = virtual_scanpaths(FLAT, generator(), viewers=40)
    steps = np.einsum("nk,nk->n", *(angles_to_vectors(yaw, pitch)[part] for part in (slice(1, None), slice(-1))))
    lengths = np.degrees(np.arccos(steps.clip(-1, 1)))[order[1:] > 0]
    assert 15 < lengths.mean() < 40
    assert np.mean(lengths < 5) < 0.05


def test_fixations_are_uniform_in_yaw():
    _, yaw, _ = virtual_scanpaths(FLAT, generator(), viewers=200)
    counts, _ = np.histogram(yaw, 8, (-np.pi, np.pi))
    assert counts.min() > 0.6 * counts.mean()
    assert counts.max() < 1.4 * counts.mean()


def test_viewers_make_half_to_all_fixations():
    order, _, _ = virtual_scanpaths(FLAT, generator(), viewers=50, fixations=9)
    lengths = np.diff(np.append(np.flatnonzero(order == 0), len(order)))
    assert len(lengths) == 50
    assert lengths.min() == 5 and lengths.max() == 9


def test_close_fixations_are_merged_and_count_is_limited(images):
    rows = sample_scanpath(images, count=500, size=32, seed=0).to_pandas()
    for _, group in rows.groupby("image_id"):
        vectors = angles_to_vectors(group["yaw"], group["pitch"])
        cosine = vectors @ vectors.T - 2 * np.eye(len(group))
        assert cosine.max() < np.cos(np.pi / 20)
        assert 50 < len(group) < 450
    assert rows.groupby("image_id").size().nunique() == 2
    assert sample_scanpath(images, count=25, size=32, seed=0).num_rows == 50


def write_scanpaths(folder, rows, columns=("image", "viewer", "order", "yaw", "pitch")):
    path = folder / "scanpaths.csv"
    pd.DataFrame(rows, columns=list(columns)).to_csv(path, index=False)
    return path


def test_recorded_fixations_keep_viewing_order(images, tmp_path):
    rows = [
        ("room.png", "eve", 2, 0.5, 0.0),
        ("room.png", "eve", 1, 0.1, 0.2),
        ("room", "adam", 1, np.pi, -0.3),
        ("room", "adam", 2, 0.201, 0.2),
        ("night", "adam", 1, 0.0, 0.0),
    ]
    patches = sample_scanpath(images, count=9, size=32, seed=0, scanpaths=write_scanpaths(tmp_path, rows)).to_pandas()
    assert patches["image_id"].tolist() == ["room", "room", "room", "night"]
    np.testing.assert_allclose(patches["yaw"], [-np.pi, 0.1, 0.5, 0.0])
    np.testing.assert_allclose(patches["pitch"], [-0.3, 0.2, 0.0, 0.0])


@pytest.mark.parametrize("fov", [40, 60, 75, 90, 110])
def test_fixations_within_a_tenth_of_the_view_are_merged(images, tmp_path, fov):
    for step, expected in ((0.1, 5), (0.1 + 1e-6, 9)):
        yaw = [np.radians(k * step * fov) for k in range(9)]
        path = write_scanpaths(
            tmp_path, [*(("room", "eve", k, yaw[k], 0.0) for k in range(9)), ("night", "eve", 0, 0.0, 0.0)]
        )
        rows = sample_scanpath(images, count=20, size=32, seed=0, fov=np.radians(fov), scanpaths=path).to_pandas()
        assert (rows["image_id"] == "room").sum() == expected


@pytest.mark.parametrize(
    "row, match",
    [
        (("cellar", 1, 1, 0.0, 0.0), "row 3: .* 'cellar'"),
        (("room", 1, 1, 190.0, 0.0), "row 3: yaw is '190.0'"),
        (("room", 1, 1, 0.0, 1.6), "row 3: pitch is '1.6'"),
        (("room", 1, 1, 0.0, None), "row 3: pitch is ''"),
        (("room", 1, "last", 0.0, 0.0), "row 3: order is 'last'"),
        (("room", 1, 1, 0.0, 0.0), "'night'"),
    ],
)
def test_invalid_scanpath_row_is_refused(images, tmp_path, row, match):
    path = write_scanpaths(tmp_path, [("room", 1, 0, 0.0, 0.0), row])
    with pytest.raises(InputError, match=match):
        sample_scanpath(images, count=9, size=32, seed=0, scanpaths=path)


def test_missing_scanpath_column_or_file_is_refused(images, tmp_path):
    path = write_scanpaths(tmp_path, [("room", 1, 0, 0.0)], columns=("image", "viewer", "order", "yaw"))
    with pytest.raises(InputError, match=r"scanpaths\.csv.*'pitch'"):
        sample_scanpath(images, count=9, size=32, seed=0, scanpaths=path)
    with pytest.raises(InputError, match=r"nowhere\.csv"):
        sample_scanpath(images, count=9, size=32, seed=0, scanpaths=tmp_path / "nowhere.csv")
