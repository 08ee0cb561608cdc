"""The distortions of real quality datasets, five levels each, with KADID-10k's parameters.

H.264 and HEVC have no opinions of their own in KADID-10k: their quantisers are matched to JPEG 2000's PSNR when a dataset is
rendered (iqadistill.datasets.galleries.psnr_matching), and JPEG 2000's opinions stand proxy.
"""

import io
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from PIL import Image
from scipy.ndimage import gaussian_filter

from iqadistill.datasets.galleries.codecs import h264_intra, hevc_intra

LEVELS = (1, 2, 3, 4, 5)


@dataclass(frozen=True)
class Distortion:
    """A type of distortion.

    Attributes:
        name: As in the images table.
        apply: (picture (H, W, 3) uint8, setting, random generator) -> picture of the same shape, uint8.
        settings: Parameter of each level, mildest first; None where it is matched to the PSNR of `opinions`.
        opinions: The type in KADID-10k whose opinions score this one.
    """

    name: str
    apply: Callable[[np.ndarray, float, np.random.Generator], np.ndarray]
    settings: tuple[float, ...] | None
    opinions: str

    @property
    def proxy(self) -> bool:
        """Whether the score is another type's."""
        return self.opinions != self.name


def jpeg(picture: np.ndarray, quality: float, rng: np.random.Generator) -> np.ndarray:
    """Baseline JPEG, chroma halved in both directions; `quality` is libjpeg's 1..95."""
    return _recode(picture, format="JPEG", quality=int(quality), subsampling="4:2:0")


def jpeg2000(picture: np.ndarray, ratio: float, rng: np.random.Generator) -> np.ndarray:
    """JPEG 2000 with the irreversible wavelet at a compression `ratio`."""
    return _recode(picture, format="JPEG2000", quality_mode="rates", quality_layers=[ratio], irreversible=True)


def gaussian_blur(picture: np.ndarray, sigma: float, rng: np.random.Generator) -> np.ndarray:
    """Gaussian blur with standard deviation `sigma` in pixels, borders replicated."""
    blurred = gaussian_filter(picture.astype(np.float32), sigma=(sigma, sigma, 0), mode="nearest")
    return _to_bytes(blurred)


def white_noise(picture: np.ndarray, variance: float, rng: np.random.Generator) -> np.ndarray:
    """Gaussian noise, independent for pixels and channels; `variance` on the scale where white is 1."""
    noise = rng.standard_normal(picture.shape, dtype=np.float32)
    return _to_bytes(picture + noise * np.float32(255 * variance**0.5))


def _recode(picture: np.ndarray, **options: object) -> np.ndarray:
    buffer = io.BytesIO()
    Image.fromarray(picture).save(buffer, **options)
    return np.asarray(Image.open(buffer).convert("RGB"))


def _to_bytes(picture: np.ndarray) -> np.ndarray:
    return np.clip(np.rint(picture), 0, 255).astype(np.uint8)


# Levels 1-5 of KADID-10k's types 10, 9, 1 and 11 (Lin, Hosu, Saupe, QoMEX 2019; parameters of its public re-implementations).
DISTORTIONS = {
    distortion.name: distortion
    for distortion in (
        Distortion("jpeg", jpeg, (43, 36, 24, 7, 4), "jpeg"),
        Distortion("jpeg2000", jpeg2000, (16, 32, 45, 120, 170), "jpeg2000"),
        Distortion("gaussian_blur", gaussian_blur, (0.1, 0.5, 1, 2, 5), "gaussian_blur"),
        Distortion("white_noise", white_noise, (0.001, 0.002, 0.003, 0.005, 0.01), "white_noise"),
        Distortion("h264", h264_intra, None, "jpeg2000"),
        Distortion("hevc", hevc_intra, None, "jpeg2000"),
    )
}
