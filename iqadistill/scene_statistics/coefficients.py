"""Natural scene statistics: normalised luminance and the generalised Gaussians that describe it (BRISQUE, NIQE)."""

from collections.abc import Iterator
from typing import Literal

import numpy as np
from scipy.ndimage import correlate1d
from scipy.special import gammaln

SHIFTS = ((0, 1), (1, 0), (1, 1), (-1, 1))
"""Offsets (rows, columns) of the neighbours right, below, and on both diagonals."""

_LUMINANCE = np.array([0.299, 0.587, 0.114])  # ITU-R BT.601
_OFFSETS = np.arange(-3, 4)
_WINDOW = np.exp(-(_OFFSETS**2) / (2 * (7 / 6) ** 2))
_WINDOW /= _WINDOW.sum()
# Bicubic interpolation (a = -0.5) stretched to twice its width, which filters the image before it is halved.
_BICUBIC = np.array([-3.0, -9.0, 29.0, 111.0, 111.0, 29.0, -9.0, -3.0]) / 256
_SHAPES = np.arange(0.2, 10.001, 0.001)


def _ratio(shape: np.ndarray) -> np.ndarray:
    """Squared mean magnitude over mean square of a generalised Gaussian: Gamma(2/a)^2 / (Gamma(1/a) Gamma(3/a))."""
    return np.exp(2 * gammaln(2 / shape) - gammaln(1 / shape) - gammaln(3 / shape))


_RATIOS = _ratio(_SHAPES)  # rises with the shape


def luminance(image: np.ndarray) -> np.ndarray:
    """Luminance (H, W) in whole grey levels, 0 to 255, as MATLAB's rgb2gray gives it.

    Args:
        image: Array (H, W, 3), uint8, RGB.
    """
    return np.rint(image @ _LUMINANCE)


def normalised(luma: np.ndarray, border: Literal["zeros", "nearest"]) -> tuple[np.ndarray, np.ndarray]:
    """Mean-subtracted, contrast-normalised (MSCN) coefficients of a luminance, and the local contrast.

    Mean and standard deviation are weighted by a Gaussian window of 7 x 7 pixels and standard deviation 7/6.

    Args:
        luma: Luminance (H, W), 0 to 255.
        border: What lies outside the image: zeros, as in BRISQUE, or its nearest pixel, as in NIQE.

    Returns:
        (luma - mean) / (deviation + 1) and the deviation, both (H, W).
    """
    mode = "constant" if border == "zeros" else "nearest"

    def blurred(values: np.ndarray) -> np.ndarray:
        return correlate1d(correlate1d(values, _WINDOW, axis=0, mode=mode), _WINDOW, axis=1, mode=mode)

    mean = blurred(luma)
    deviation = np.sqrt(np.abs(blurred(luma * luma) - mean * mean))
    return (luma - mean) / (deviation + 1), deviation


def halved(luma: np.ndarray) -> np.ndarray:
    """The image at half its size by low-pass filtered bicubic interpolation, MATLAB's imresize(image, 0.5).

    Args:
        luma: Image (H, W).

    Returns:
        Image (ceil(H / 2), ceil(W / 2)).
    """
    for axis in (0, 1):
        # origin -1: output i lies between the input pixels 2i and 2i + 1, so the window is 2i - 3 to 2i + 4
        smooth = correlate1d(luma, _BICUBIC, axis=axis, mode="reflect", origin=-1)
        luma = smooth[::2] if axis == 0 else smooth[:, ::2]
    return luma


def fit_gaussian(values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Moment-matched generalised Gaussian of zero mean (Sharifi and Leon-Garcia, 1995).

    Args:
        values: Samples (..., m).

    Returns:
        Shape and variance (...); of the shapes 0.2, 0.201, ..., 10 it is the one whose ratio of moments is nearest.
    """
    variance = np.mean(values**2, axis=-1)
    with np.errstate(invalid="ignore", divide="ignore"):
        moments = variance / np.mean(np.abs(values), axis=-1) ** 2
    return _nearest_shape(moments, 1 / _RATIOS), variance


def fit_asymmetric_gaussian(values: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Moment-matched asymmetric generalised Gaussian with its mode at zero (Lasmar, Stitou and Berthoumieu, 2009).

    Args:
        values: Samples (..., m).

    Returns:
        Shape, and the root mean squares of the negative and of the positive samples, each (...); NaN where there are
        no negative or no positive samples.
    """
    squares = values**2
    with np.errstate(invalid="ignore", divide="ignore"):
        left, right = (
            np.sqrt(np.sum(squares, axis=-1, where=side) / np.count_nonzero(side, axis=-1))
            for side in (values < 0, values > 0)
        )
        moments = np.mean(np.abs(values), axis=-1) ** 2 / np.mean(squares, axis=-1)
        skew = left / right
        moments = moments * (skew**3 + 1) * (skew + 1) / (skew**2 + 1) ** 2
    return _nearest_shape(moments, _RATIOS), left, right


def neighbour_products(coefficients: np.ndarray, shifts: tuple[tuple[int, int], ...]) -> Iterator[np.ndarray]:
    """Products of every coefficient and one neighbour, a neighbour at a time; the image wraps around at its borders.

    Args:
        coefficients: MSCN coefficients (..., H, W).
        shifts: Rows and columns by which the image is shifted.

    Yields:
        Products (..., H * W).
    """
    for shift in shifts:
        products = coefficients * np.roll(coefficients, shift, axis=(-2, -1))
        yield products.reshape(*products.shape[:-2], -1)


def relative_scale(shape: np.ndarray) -> np.ndarray:
    """Scale of a generalised Gaussian over its standard deviation: sqrt(Gamma(1/a) / Gamma(3/a))."""
    return np.exp((gammaln(1 / shape) - gammaln(3 / shape)) / 2)


def mean_over_scale(shape: np.ndarray) -> np.ndarray:
    """Mean magnitude of a generalised Gaussian over its scale: Gamma(2/a) / Gamma(1/a)."""
    return np.exp(gammaln(2 / shape) - gammaln(1 / shape))


def _nearest_shape(moments: np.ndarray, table: np.ndarray) -> np.ndarray:
    """Shapes whose entries in a monotone table are nearest to the moments; NaN where these are NaN."""
    rising = table if table[-1] > table[0] else -table
    wanted = moments if table[-1] > table[0] else -moments
    above = np.searchsorted(rising, wanted).clip(1, len(rising) - 1)
    nearest = above - (wanted - rising[above - 1] <= rising[above] - wanted)
    return np.where(np.isnan(moments), np.nan, _SHAPES[nearest])
