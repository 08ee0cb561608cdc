"""Viewports that are wider than 1:1 average what they cover; those at 1:1 show distortions as they are."""

import io
import math
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from scipy.ndimage import gaussian_filter
from torch.nn import functional

from iqadistill.panorama import extract_viewports, native_fov, viewports

SIZE = 48
YAW, PITCH = torch.tensor([-3.0, -1.0, 0.5, 2.0, 3.1]), torch.tensor([0.0, 0.3, -0.4, 0.2, -0.1])
PHOTOGRAPH = Path(__file__).parents[4] / "shared/data/panoramas/petra.jpg"


def wide(read, width=1024):
    """Field of view at which a viewport pixel spans `read` panorama pixels."""
    return 2 * math.atan(read * math.tan(native_fov(SIZE, width) / 2))


@pytest.fixture(scope="module")
def panorama():
    """Grey texture (512, 1024) with the spectrum of photographs, periodic in yaw."""
    noise = np.random.default_rng(0).normal(size=(512, 1024))
    frequency = np.hypot(np.fft.fftfreq(512)[:, None], np.fft.fftfreq(1024))
    frequency[0, 0] = 1
    texture = np.fft.ifft2(np.fft.fft2(noise) / frequency).real
    return (128 + 45 * (texture - texture.mean()) / texture.std()).clip(0, 255).round().astype(np.uint8)


def distorted(grey):
    """The panorama with a blur and as a JPEG."""
    blurred = gaussian_filter(grey.astype(float), 1.5, mode=["nearest", "wrap"]).round().astype(np.uint8)
    file = io.BytesIO()
    Image.fromarray(grey).save(file, "JPEG", quality=15)
    return {"blur": blurred, "jpeg": np.asarray(Image.open(file))}


def tensor(grey):
    return torch.from_numpy(np.repeat(grey[None], 3, 0))


def single_samples(image, fov, samples=1):
    """Viewports without a filter, or averages over `samples` squared samples per pixel."""
    padded = viewports._pad_over_edges(image, torch.float32)
    views = viewports._sample(padded, YAW, PITCH, torch.tensor(fov, dtype=torch.float32), SIZE * samples)
    return functional.avg_pool2d(views, samples)


def sharpness_ratios(grey, view):
    """Energy of pixel differences in the viewports of each distorted panorama, as a fraction of the original's."""

    def sharpness(image):
        views = view(tensor(image)).float()[:, 0]
        return float(views.diff(dim=1).square().mean() + views.diff(dim=2).square().mean())

    return {name: sharpness(image) / sharpness(grey) for name, image in distorted(grey).items()}


def check_filter(grey, read, close, far):
    fov = wide(read, grey.shape[1])
    covered = sharpness_ratios(grey, lambda image: single_samples(image, fov, 10))  # averages over all of a pixel
    filtered = sharpness_ratios(grey, lambda image: extract_viewports(image, YAW, PITCH, fov, SIZE))
    aliased = sharpness_ratios(grey, lambda image: single_samples(image, fov))
    assert filtered == pytest.approx(covered, abs=close)
    assert all(covered[name] - aliased[name] > far for name in covered)


@pytest.mark.parametrize("read", [2.0, 2.7, 3.4])
def test_wide_viewports_show_distortions_as_large_as_they_are_at_that_scale(panorama, read):
    check_filter(panorama, read, close=0.03, far=0.07)


@pytest.mark.skipif(not PHOTOGRAPH.is_file(), reason="the photographic panoramas are not next to the project")
def test_wide_viewports_of_a_photograph():
    check_filter(np.asarray(Image.open(PHOTOGRAPH).convert("L")), 3.4, close=0.05, far=0.05)


def test_native_viewports_show_distortions_that_wide_ones_average_away(panorama):
    native, far = (
        sharpness_ratios(panorama, lambda image, fov=fov: extract_viewports(image, YAW, PITCH, fov, SIZE))
        for fov in (native_fov(SIZE, 1024), wide(3.4))
    )
    assert native["blur"] < 0.1 and far["blur"] > 0.35
    assert native["jpeg"] < 0.7 and far["jpeg"] > 0.95


@pytest.mark.parametrize("fov", [0.05, native_fov(SIZE, 1024), wide(1.09)])
def test_viewports_at_1_to_1_take_single_samples(panorama, fov):
    image = tensor(panorama)
    assert torch.equal(extract_viewports(image, YAW, PITCH, fov, SIZE), single_samples(image, fov))


@pytest.mark.parametrize("read", [3.0, 5.0, 9.0])
def test_filtered_viewports_are_the_same_across_the_seam_and_from_run_to_run(panorama, read):
    image, quarter = tensor(panorama), 256
    here = extract_viewports(image, YAW, PITCH, wide(read), SIZE)
    turned = extract_viewports(image.roll(quarter, -1), YAW + math.pi / 2, PITCH, wide(read), SIZE)
    torch.testing.assert_close(turned, here, atol=0.05, rtol=0)
    assert torch.equal(here, extract_viewports(image, YAW, PITCH, wide(read), SIZE))


@pytest.mark.parametrize("read", [3.0, 9.0])
def test_filtered_viewports_over_the_poles_have_no_border(read):
    height = torch.linspace(-1, 1, 512).mul(math.pi / 2).sin()  # height over the equator plane: smooth over a pole
    views = extract_viewports(height[None, :, None].expand(3, -1, 1024), [0.3], [math.pi / 2], wide(read), SIZE)[0, 0]
    torch.testing.assert_close(views, views.flip(0), atol=1e-3, rtol=0)
    torch.testing.assert_close(views, views.T, atol=1e-3, rtol=0)
    assert views.diff(dim=0).abs().max() < 0.05


def test_panorama_that_cannot_be_halved_is_sampled_more_finely():
    image = torch.rand(3, 101, 202, generator=torch.Generator().manual_seed(0))
    views = extract_viewports(image, [0.0], [0.0], 2.6, 16)
    assert views.std() < 0.4 * image.std()
