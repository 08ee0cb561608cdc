"""BRISQUE: 36 natural scene statistics of an image and a support vector regression (Mittal et al., 2012)."""

from collections.abc import Sequence

import numpy as np

from iqadistill.images.decoding import read_image
from iqadistill.parallel import map_ahead
from iqadistill.scene_statistics.coefficients import (
    SHIFTS,
    fit_asymmetric_gaussian,
    fit_gaussian,
    halved,
    luminance,
    mean_over_scale,
    neighbour_products,
    normalised,
    relative_scale,
)

SCORE_RANGE = 100.0  # the published settings of the regression are for scores from 0 to 100


def brisque_features(image: np.ndarray) -> np.ndarray:
    """The 36 features of BRISQUE (A. Mittal, A. K. Moorthy and A. C. Bovik, IEEE TIP 21(12), 2012).

    Args:
        image: Array (H, W, 3), uint8, RGB.

    Returns:
        Features (36,), 18 at full and 18 at half the size: shape and variance of the coefficients; then shape, mean,
        left and right variance of the products with each of 4 neighbours. What a black image leaves undefined is 0.
    """
    luma = luminance(image)
    features: list[np.ndarray] = []
    for scale in (1, 2):
        if scale == 2:
            luma = halved(luma)
        coefficients, _ = normalised(luma, "zeros")
        features += fit_gaussian(coefficients.ravel())
        for products in neighbour_products(coefficients, SHIFTS):
            shape, left, right = fit_asymmetric_gaussian(products)
            mean = (right - left) * relative_scale(shape) * mean_over_scale(shape)
            features += (shape, mean, left**2, right**2)
    return np.nan_to_num(np.array(features), nan=0.0)


def read_brisque_features(paths: Sequence[str], workers: int) -> np.ndarray:
    """Features (n, 36) of image files.

    Args:
        paths: Paths of the images.
        workers: Number of threads, one image each.

    Raises:
        InputError: An image cannot be read.
    """
    return np.stack(list(map_ahead(lambda path: brisque_features(read_image(path)), paths, workers)))


def predict_by_regression(
    features: np.ndarray, quality: np.ndarray, training: np.ndarray, *, c: float, gamma: float, epsilon: float
) -> np.ndarray:
    """Quality predicted by a support vector regression with a radial basis function kernel.

    As in the authors' release, every feature is scaled to [-1, 1] by its range over the training images, and scores
    range over 100.

    Args:
        features: Features (n, d).
        quality: Quality (n,) in [0, 1].
        training: Whether an image is for training (n,).
        c: Weight of the errors.
        gamma: Inverse squared width of the kernel.
        epsilon: Error that costs nothing, of 100.

    Returns:
        Predicted quality (n,).
    """
    from sklearn.svm import SVR

    low, high = features[training].min(axis=0), features[training].max(axis=0)
    scaled = 2 * (features - low) / np.where(high > low, high - low, 1) - 1
    regression = SVR(kernel="rbf", C=c, gamma=gamma, epsilon=epsilon)
    regression.fit(scaled[training], SCORE_RANGE * quality[training])
    return regression.predict(scaled) / SCORE_RANGE
