"""Viewports compared with an analytic function on the sphere and with py360convert."""

import numpy as np
import py360convert
import pytest
import torch

from iqadistill.panorama import angles_to_vectors, extract_viewports, native_fov, pixels_to_angles

WIDTH, HEIGHT, SIZE = 1024, 512, 64


def smooth_function(vectors):
    """Three channels that vary smoothly over the entire sphere, including poles and seam: (..., 3) -> (3, ...)."""
    x, y, z = np.moveaxis(vectors, -1, 0)
    return np.stack([0.5 + 0.5 * x * z, 0.5 + 0.3 * np.sin(3 * y + x), 0.5 + 0.2 * (x - y) ** 2 - 0.1 * z])


def smooth_panorama():
    yaw, pitch = pixels_to_angles(np.arange(WIDTH), np.arange(HEIGHT)[:, None], WIDTH, HEIGHT)
    return torch.from_numpy(smooth_function(angles_to_vectors(*np.broadcast_arrays(yaw, pitch))))


def camera_rays(yaw, pitch, fov, size=SIZE):
    """Rays (size, size, 3) of a pinhole camera, by rotation matrices."""
    offset = np.tan(fov / 2) * ((np.arange(size) + 0.5) / size * 2 - 1)
    right, down = np.meshgrid(offset, offset)
    rays = np.stack([right, -down, np.ones_like(right)], axis=-1)
    c, s = np.cos(pitch), np.sin(pitch)
    tilt = np.array([[1, 0, 0], [0, c, s], [0, -s, c]])
    c, s = np.cos(yaw), np.sin(yaw)
    turn = np.array([[c, 0, s], [0, 1, 0], [-s, 0, c]])
    rays = rays @ (turn @ tilt).T
    return rays / np.linalg.norm(rays, axis=-1, keepdims=True)


DIRECTIONS = [
    (0.0, 0.0, 1.5),
    (0.7, -0.4, 1.0),
    (np.pi, 0.0, 1.5),
    (-np.pi, 0.3, 0.5),
    (3.1, -0.2, 2.5),
    (0.0, np.pi / 2, 1.5),
    (1.3, np.pi / 2, 0.1),
    (0.0, -np.pi / 2, 1.5),
    (-2.0, -np.pi / 2, 0.1),
    (np.pi, 1.5, 0.7),
    (-np.pi, -1.5, 0.7),
]


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_viewports_at_1_to_1_equal_an_analytic_function_on_the_sphere(dtype):
    yaw, pitch, _ = np.array(DIRECTIONS).T
    fov = native_fov(SIZE, WIDTH)
    viewports = extract_viewports(smooth_panorama().to(dtype), yaw, pitch, fov, SIZE)
    expected = np.stack([smooth_function(camera_rays(*direction, fov)) for direction in zip(yaw, pitch, strict=True)])
    assert viewports.dtype == dtype
    assert np.abs(viewports.numpy() - expected).max() <= 1e-4


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_wide_viewports_equal_averages_of_an_analytic_function_over_their_pixels(dtype):
    yaw, pitch, fov = np.array(DIRECTIONS).T
    viewports = extract_viewports(smooth_panorama().to(dtype), yaw, pitch, fov, SIZE)
    finer = np.stack([smooth_function(camera_rays(*direction, 8 * SIZE)) for direction in DIRECTIONS])
    expected = finer.reshape(len(DIRECTIONS), 3, SIZE, 8, SIZE, 8).mean((3, 5))
    assert viewports.dtype == dtype
    assert np.abs(viewports.numpy() - expected).max() <= 3e-4


def test_viewports_agree_with_py360convert():
    panorama = np.random.default_rng(0).random((HEIGHT, WIDTH, 3)).astype(np.float32)
    fov = 0.4  # about 1:1: py360convert has no low-pass filter
    # py360convert puts its outermost samples on the border of the view, we put them half a pixel inside
    degrees = np.degrees(2 * np.arctan(np.tan(fov / 2) * (SIZE - 1) / SIZE))
    for yaw, pitch in [(0.4, 0.2), (-2.5, -0.7), (1.0, 0.9), (3.0, 0.0)]:
        other = py360convert.e2p(panorama, degrees, np.degrees(yaw), np.degrees(pitch), (SIZE, SIZE), mode="bilinear")
        tensor = torch.from_numpy(panorama).permute(2, 0, 1)
        ours = extract_viewports(tensor, [yaw], [pitch], fov, SIZE)[0].permute(1, 2, 0).numpy()
        assert np.abs(ours - other).max() < 2e-2
        assert np.abs(ours - other).mean() < 1e-3
