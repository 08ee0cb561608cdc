"""Rendered rooms follow the geometry of the sphere."""

import numpy as np
import pytest

from iqadistill.datasets.galleries.rooms import furnish_room, render_room

WIDTH = 128


@pytest.fixture(scope="module")
def room():
    x, y = np.meshgrid(np.arange(200), np.arange(150))
    photograph = np.stack([x * 255 // 200, y * 255 // 150, (x + y) * 255 // 350], axis=-1).astype(np.uint8)
    return furnish_room(photograph, np.random.default_rng(0), width=WIDTH)


@pytest.mark.parametrize("columns", [1, 32, 101])
def test_yaw_of_the_camera_rolls_the_panorama(room, columns):
    turned = render_room(room, WIDTH, yaw=2 * np.pi * columns / WIDTH)
    rolled = np.roll(render_room(room, WIDTH), -columns, axis=1)
    difference = np.abs(turned.astype(int) - rolled)
    assert difference.max() <= 1  # rounding of the angles


def test_panorama_is_continuous_at_the_seam(room):
    panorama = render_room(room, WIDTH).astype(int)
    steps = np.abs(np.diff(panorama, axis=1, append=panorama[:, :1])).mean(axis=(0, 2))
    assert steps[-1] <= np.quantile(steps[:-1], 0.95)


def test_pole_rows_are_nearly_constant(room):
    panorama = render_room(room, 4 * WIDTH).astype(int)
    for row in (panorama[0], panorama[-1]):
        opposite = np.abs(row - np.roll(row, len(row) // 2, axis=0)).mean()
        assert opposite < 5
        assert np.abs(np.diff(row, axis=0)).max() <= 4


def test_four_walls_show_different_crops(room):
    walls = [wall.mean(axis=(0, 1)) for wall in room.textures[:4]]
    distances = [np.abs(a - b).max() for i, a in enumerate(walls) for b in walls[:i]]
    assert min(distances) > 2
