"""Distortions of galleries, five levels each, with KADID-10k's parameters.

KADID-10k has no opinions on H.264 and HEVC: their quantisers are matched to JPEG 2000's PSNR when a dataset is rendered
(iqadistill.datasets.galleries.psnr_matching), and the opinions on JPEG 2000 are their proxy.
"""

import io
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from PIL import Image
from scipy.ndimage import gaussian_filter

from iqadistill.datasets.galleries.codecs import h264_intra, hevc_intra
from iqadistill.datasets.simulated_scores import PROXIES

LEVELS = (1, 2, 3, 4, 5)


@dataclass(frozen=True)
class Distortion:
    """A type of distortion.

    Attributes:
        name: Name in the images table.
        apply: Function (image (H, W, 3) uint8, setting, random generator) -> image of the same shape, uint8.
        settings: Parameter of each level, mildest first; None if it is matched to the PSNR of the proxy.
    """

    name: str
    apply: Callable[[np.ndarray, float, np.random.Generator], np.ndarray]
    settings: tuple[float, ...] | None

    @property
    def proxy(self) -> bool:
        """Whether the score is that of another distortion."""
        return self.name in PROXIES


def jpeg(image: np.ndarray, quality: float, rng: np.random.Generator) -> np.ndarray:
    """Baseline JPEG, chroma subsampled 4:2:0; `quality` is libjpeg's 1..95."""
    return _recode(image, format="JPEG", quality=int(quality), subsampling="4:2:0")


def jpeg2000(image: np.ndarray, ratio: float, rng: np.random.Generator) -> np.ndarray:
    """JPEG 2000 with the irreversible wavelet at a compression `ratio`."""
    return _recode(image, format="JPEG2000", quality_mode="rates", quality_layers=[ratio], irreversible=True)


def gaussian_blur(image: np.ndarray, sigma: float, rng: np.random.Generator) -> np.ndarray:
    """Gaussian blur with standard deviation `sigma` in pixels, borders replicated."""
    blurred = gaussian_filter(image.astype(np.float32), sigma=(sigma, sigma, 0), mode="nearest")
    return _to_bytes(blurred)


def white_noise(image: np.ndarray, variance: float, rng: np.random.Generator) -> np.ndarray:
    """Gaussian noise, independent over pixels and channels; `variance` on the scale where white is 1."""
    noise = rng.standard_normal(image.shape, dtype=np.float32)
    return _to_bytes(image + noise * np.float32(255 * variance**0.5))


def _recode(image: np.ndarray, *, format: str, **options: object) -> np.ndarray:
    buffer = io.BytesIO()
    Image.fromarray(image).save(buffer, format, **options)
    return np.asarray(Image.open(buffer).convert("RGB"))


def _to_bytes(image: np.ndarray) -> np.ndarray:
    return np.clip(np.rint(image), 0, 255).astype(np.uint8)


# Levels 1-5 of KADID-10k's types 10, 9, 1 and 11 (Lin, Hosu, Saupe, QoMEX 2019; parameters of its public
# re-implementations).
DISTORTIONS = {
    distortion.name: distortion
    for distortion in (
        Distortion("jpeg", jpeg, (43, 36, 24, 7, 4)),
        Distortion("jpeg2000", jpeg2000, (16, 32, 45, 120, 170)),
        Distortion("gaussian_blur", gaussian_blur, (0.1, 0.5, 1, 2, 5)),
        Distortion("white_noise", white_noise, (0.001, 0.002, 0.003, 0.005, 0.01)),
        Distortion("h264", h264_intra, None),
        Distortion("hevc", hevc_intra, None),
    )
}
