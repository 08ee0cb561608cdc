"""NIQE: distance of an image's statistics from those of pristine photographs (Mittal et al., 2013)."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from iqadistill.errors import InputError
from iqadistill.images.decoding import read_image
from iqadistill.parallel import map_ahead
from iqadistill.scene_statistics.coefficients import (
    fit_asymmetric_gaussian,
    halved,
    luminance,
    mean_over_scale,
    neighbour_products,
    normalised,
    relative_scale,
)

SHIFTS = ((0, 1), (1, 0), (1, 1), (1, -1))


@dataclass(frozen=True)
class Statistics:
    """Multivariate Gaussian of patch features.

    Attributes:
        mean: Means (36,).
        covariance: Covariance (36, 36).
    """

    mean: np.ndarray
    covariance: np.ndarray


def niqe_features(image: np.ndarray, patch: int) -> tuple[np.ndarray, np.ndarray]:
    """Features and sharpness of patches (A. Mittal, R. Soundararajan and A. C. Bovik, IEEE SPL 20(3), 2013).

    Args:
        image: Array (H, W, 3), uint8, RGB; what is left beside whole patches is cut off.
        patch: Side of a patch in pixels, an even number.

    Returns:
        Features (n, 36), 18 at full and 18 at half the size: shape and scale of the coefficients; then shape, mean,
        left and right scale of the products with each of 4 neighbours; and the mean local contrast (n,) at full
        size.
    """
    rows, columns = (length // patch for length in image.shape[:2])
    luma = luminance(image[: rows * patch, : columns * patch])
    features: list[np.ndarray] = []
    sharpness = np.empty(0)
    for side in (patch, patch // 2):
        if side < patch:
            luma = halved(luma)
        coefficients, contrast = normalised(luma, "nearest")
        patches = _as_patches(coefficients, rows, columns, side)
        if side == patch:
            sharpness = _as_patches(contrast, rows, columns, side).mean(axis=(1, 2))
        for position, values in enumerate((patches.reshape(len(patches), -1), *neighbour_products(patches, SHIFTS))):
            shape, left, right = fit_asymmetric_gaussian(values)
            left, right = left * relative_scale(shape), right * relative_scale(shape)
            if position == 0:
                features += (shape, (left + right) / 2)
            else:
                features += (shape, (right - left) * mean_over_scale(shape), left, right)
    return np.stack(features, axis=1), sharpness


def fit_pristine(paths: Sequence[str], patch: int, sharp: float, workers: int) -> Statistics:
    """Statistics of the sharp patches of pristine photographs.

    Args:
        paths: Paths of the photographs.
        patch: Side of a patch in pixels.
        sharp: Share of the sharpness of a photograph's sharpest patch above which its patches count.
        workers: Number of threads, one photograph each.

    Raises:
        InputError: A photograph cannot be read, or no more patches are left than there are features.
    """

    def sharp_patches(path: str) -> np.ndarray:
        features, sharpness = niqe_features(read_image(path), patch)
        return features[sharpness > sharp * sharpness.max(initial=0)]

    features = np.concatenate(list(map_ahead(sharp_patches, paths, workers)))
    return _statistics(features, f"{len(paths)} pristine images", patch, features.shape[1] + 1)


def niqe_distances(paths: Sequence[str], pristine: Statistics, patch: int, workers: int) -> np.ndarray:
    """Distances (n,) of images from pristine photographs; the lower, the better.

    Args:
        paths: Paths of the images.
        pristine: Statistics of pristine photographs with patches of the same size.
        patch: Side of a patch in pixels.
        workers: Number of threads, one image each.

    Raises:
        InputError: An image cannot be read or has fewer than two patches.
    """

    def distance(path: str) -> float:
        features, _ = niqe_features(read_image(path), patch)
        return statistics_distance(pristine, _statistics(features, path, patch))

    return np.array(list(map_ahead(distance, paths, workers)))


def statistics_distance(one: Statistics, other: Statistics) -> float:
    """Distance of two Gaussians: sqrt((m1 - m2)^T ((C1 + C2) / 2)^-1 (m1 - m2)), with a pseudo-inverse."""
    difference = one.mean - other.mean
    precision = len(difference) * np.finfo(np.float64).eps  # as in MATLAB's pinv
    inverse = np.linalg.pinv((one.covariance + other.covariance) / 2, rcond=precision, hermitian=True)
    return float(np.sqrt(max(0.0, difference @ inverse @ difference)))


def _statistics(features: np.ndarray, where: str, patch: int, least: int = 2) -> Statistics:
    """Statistics of patch features, without patches whose features are undefined, such as those of one grey."""
    defined = features[np.isfinite(features).all(axis=1)]
    if len(defined) < least:
        raise InputError(
            f"{where}: {len(defined)} of {len(features)} patches of {patch} pixels have texture, NIQE needs {least};"
            " set a smaller patch, or leave out images that are small or plain."
        )
    return Statistics(defined.mean(axis=0), np.cov(defined, rowvar=False))


def _as_patches(values: np.ndarray, rows: int, columns: int, side: int) -> np.ndarray:
    """An image (rows * side, columns * side) as patches (rows * columns, side, side), row by row."""
    return values.reshape(rows, side, columns, side).swapaxes(1, 2).reshape(-1, side, side)
