"""Quantisers of the video codecs whose mean PSNR on the pristine scenes matches that of JPEG 2000's levels."""

from collections.abc import Callable, Sequence
from functools import cache, partial
from pathlib import Path

import numpy as np

from iqadistill.console import progress
from iqadistill.datasets.galleries.codecs import QUANTISERS
from iqadistill.datasets.galleries.distortions import DISTORTIONS
from iqadistill.datasets.galleries.seeding import random_stream
from iqadistill.images.decoding import read_image
from iqadistill.parallel import map_ahead


def psnr(picture: np.ndarray, reference: np.ndarray) -> float:
    """Peak signal-to-noise ratio in dB of two 8-bit pictures (H, W, 3), over all channels.

    The squared error counts at least 1/12, that of rounding to 8 bits, so that identical pictures have 58.9 dB, not infinity.
    """
    error = np.mean((picture.astype(np.float32) - reference.astype(np.float32)) ** 2, dtype=np.float64)
    return float(10 * np.log10(255**2 / max(error, 1 / 12)))


def match_settings(pristine: Sequence[Path], *, workers: int = 1) -> dict[str, tuple[float, ...]]:
    """Settings of every distortion's levels: its own, or quantisers matched to the type that lends its opinions.

    A level's quantiser is the one whose mean PSNR over the pristine pictures is nearest to the other type's. PSNR falls with
    the quantiser, so bisection finds it.

    Args:
        pristine: The pristine pictures' files.
        workers: Pictures at once.
    """
    pictures = [read_image(path) for path in pristine]

    @cache
    def mean_psnr(name: str, setting: float) -> float:
        def one(picture: np.ndarray) -> float:
            return psnr(DISTORTIONS[name].apply(picture, setting, random_stream(0)), picture)

        return float(
            np.mean(
                list(progress(map_ahead(one, pictures, workers), f"PSNR of {name} at {setting:g}", total=len(pictures)))
            )
        )

    def match(name: str) -> tuple[float, ...]:
        model = DISTORTIONS[DISTORTIONS[name].opinions]
        targets = [mean_psnr(model.name, setting) for setting in model.settings]
        return tuple(nearest_quantiser(partial(mean_psnr, name), target) for target in targets)

    return {name: match(name) if kind.settings is None else kind.settings for name, kind in DISTORTIONS.items()}


def nearest_quantiser(falling: Callable[[int], float], target: float) -> int:
    """The quantiser at which a falling function comes nearest to `target`."""
    low, high = QUANTISERS[0], QUANTISERS[-1]
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if falling(middle) >= target else (low, middle)
    return min((low, high), key=lambda quantiser: abs(falling(quantiser) - target))
