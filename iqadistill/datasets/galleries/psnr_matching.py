"""Matching by PSNR: quantisers of the video codecs with the mean PSNR of JPEG 2000's levels on the pristine scenes."""

from collections.abc import Callable, Sequence
from functools import cache, partial
from pathlib import Path

import numpy as np

from iqadistill.console import progress
from iqadistill.datasets.galleries.codecs import QUANTISERS
from iqadistill.datasets.galleries.distortions import DISTORTIONS
from iqadistill.datasets.galleries.random_draws import random_stream
from iqadistill.datasets.simulated_scores import opinion_type
from iqadistill.images.decoding import read_image
from iqadistill.parallel import map_ahead


def psnr(image: np.ndarray, reference: np.ndarray) -> float:
    """Peak signal-to-noise ratio in dB of two 8-bit images (H, W, 3), over all channels.

    The mean squared error is at least 1/12, that of rounding to 8 bits, so that identical images have 58.9 dB, not
    infinity.
    """
    error = np.mean((image.astype(np.float32) - reference.astype(np.float32)) ** 2, dtype=np.float64)
    return float(10 * np.log10(255**2 / max(error, 1 / 12)))


def match_settings(pristine: Sequence[Path], *, workers: int = 1) -> dict[str, tuple[float, ...]]:
    """Settings of every distortion's levels: given ones, or quantisers matched to the distortion's proxy.

    The quantiser of a level is the one whose mean PSNR over the pristine images is nearest to the proxy's. PSNR falls
    with the quantiser, so bisection finds it.

    Args:
        pristine: Files of the pristine images.
        workers: Number of threads.
    """
    images = [read_image(path) for path in pristine]

    @cache
    def mean_psnr(name: str, setting: float) -> float:
        def one(image: np.ndarray) -> float:
            return psnr(DISTORTIONS[name].apply(image, setting, random_stream(0)), image)

        values = map_ahead(one, images, workers)
        return float(np.mean(list(progress(values, f"PSNR of {name} at {setting:g}", total=len(images)))))

    def settings_of(name: str) -> tuple[float, ...]:
        given, proxy = DISTORTIONS[name].settings, opinion_type(name)
        if given is not None:
            return given
        targets = [mean_psnr(proxy, setting) for setting in settings_of(proxy)]
        return tuple(nearest_quantiser(partial(mean_psnr, name), target) for target in targets)

    return {name: settings_of(name) for name in DISTORTIONS}


def nearest_quantiser(falling: Callable[[int], float], target: float) -> int:
    """The quantiser at which a falling function is nearest to `target`."""
    low, high = QUANTISERS[0], QUANTISERS[-1]
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if falling(middle) >= target else (low, middle)
    return min((low, high), key=lambda quantiser: abs(falling(quantiser) - target))
