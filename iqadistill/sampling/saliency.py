"""Bottom-up saliency of panoramas (spectral residual)."""

from pathlib import Path

import numpy as np
from PIL import Image
from scipy.ndimage import gaussian_filter, uniform_filter

from iqadistill.images.decoding import read_image

SHAPE = (64, 128)  # rows, columns: cells of 2.8 degrees, finer than any saccade
_BLUR = 2.5  # cells, about 7 degrees
_EDGES = ("nearest", "wrap")  # rows end at the poles, columns wrap around


def panorama_saliency(path: str | Path) -> np.ndarray:
    """Spectral-residual saliency (64, 128) of the panorama at `path`, in [0, 1].

    Raises:
        InputError: The image cannot be read.
    """
    luminance = Image.fromarray(read_image(path)).convert("L").resize(SHAPE[::-1], Image.Resampling.BOX)
    return spectral_residual(np.asarray(luminance, dtype=np.float64) / 255)


def spectral_residual(luminance: np.ndarray) -> np.ndarray:
    """Saliency of luminance (rows, columns) in [0, 1]: the part of its log spectrum above the local average.

    Source: Hou and Zhang, "Saliency detection: a spectral residual approach", CVPR 2007. The spectrum is periodic, as
    the panorama is in yaw. Without structure nothing is salient: the map is 0.
    """
    contrast = luminance - luminance.mean()
    if np.ptp(contrast) < 1e-6:
        return np.zeros_like(contrast)
    spectrum = np.fft.fft2(contrast)
    amplitude = np.abs(spectrum)
    # the offset keeps the logarithm of an absent frequency from dominating all others
    amplitude = np.log(amplitude + 0.01 * amplitude.mean())
    residual = amplitude - uniform_filter(amplitude, 3, mode="wrap")
    saliency = np.abs(np.fft.ifft2(np.exp(residual + 1j * np.angle(spectrum)))) ** 2
    saliency = gaussian_filter(saliency, _BLUR, mode=_EDGES)
    return saliency / saliency.max()
