"""BRISQUE and NIQE against published implementations, on a photograph that scikit-image ships.

The golden numbers were computed by

- piq 0.8.0 (photosynthesis-team), `piq.brisque._natural_scene_statistics` at both scales, in float64, with its own
  `imresize`, a copy of MATLAB's;
- basicsr 1.4.2, `basicsr.metrics.niqe`, with its copy of MATLAB's `imresize`, which rounds to float32: hence the larger
  tolerance of NIQE.

Both were given the luminance of `luminance`, in whole grey levels as MATLAB's rgb2gray returns it. Left to themselves,
piq keeps fractions of grey levels, and basicsr takes the Y of studio-range YCbCr instead.
"""

import numpy as np
import pytest
from scipy.ndimage import correlate
from scipy.special import gamma
from skimage import data

from iqadistill.scene_statistics.brisque import brisque_features
from iqadistill.scene_statistics.coefficients import (
    fit_asymmetric_gaussian,
    fit_gaussian,
    halved,
    luminance,
    normalised,
)
from iqadistill.scene_statistics.niqe import Statistics, niqe_features, statistics_distance

# fmt: off
PIQ_BRISQUE_OF_CHELSEA = [
    1.445, 0.2334583812127794, 0.543, 0.05139624345422518, 0.056857049588787796, 0.10792897431762297,
    0.545, 0.021724367021809743, 0.07019675273097536, 0.09178177827819832,
    0.551, -0.03479084032039861, 0.09943764896568717, 0.06491327655120163,
    0.53, 0.0025731420303193187, 0.07990420374298333, 0.08250446475356096,
    1.642, 0.2462591694889565, 0.621, 0.0602568035476564, 0.053654105297073346, 0.10965363561144946,
    0.609, 0.033337064329182854, 0.06482463748449144, 0.09616762073166851,
    0.611, -0.019838207472272208, 0.09257212305086074, 0.07358958217259631,
    0.607, -0.010435408128066977, 0.08633023272348068, 0.07640923421823392,
]
BASICSR_NIQE_OF_FIRST_PATCH = [
    1.423, 0.4433845025064114, 0.542, 0.1050032336599452, 0.010646447277567733, 0.03469360570379881,
    0.567, 0.05467980777463998, 0.02038700535256054, 0.03510827791251718,
    0.549, 0.03950443819352969, 0.020411282859378554, 0.029895105576017593,
    0.56, 0.01273870677325895, 0.024778406349567902, 0.02806206635725529,
    1.511, 0.5357478136406434, 0.579, 0.10904483879381875, 0.022588481184898392, 0.05412242551130983,
    0.572, 0.01899851829005754, 0.03573454971855441, 0.04100655059238277,
    0.576, 0.018381912062931577, 0.03668043618177566, 0.04190381590750282,
    0.588, -0.03082488007205103, 0.04673348839118602, 0.03735073795376083,
]
BASICSR_MEAN_OVER_PATCHES = [
    2.0575833333, 0.7149090995, 0.6863333333, 0.0816290140, 0.0843762093, 0.1182214185,
    0.7120833333, 0.0392566071, 0.0969955757, 0.1197958712, 0.6997500000, -0.0243743894, 0.1160113812, 0.0965418990,
    0.6819166667, 0.0096065950, 0.0992009939, 0.0999857938, 2.1937500000, 0.7705465039,
    0.7461666667, 0.0918167834, 0.0925519807, 0.1416914192, 0.7461666667, 0.0489627922, 0.1009297744, 0.1336076512,
    0.7305000000, -0.0084473505, 0.1163621977, 0.1104866448, 0.7388333333, 0.0014958348, 0.1148483728, 0.1132500548,
]
# fmt: on
BASICSR_CHELSEA_FROM_THE_OTHERS = 7.046857906323043


def test_brisque_features_are_those_of_piq():
    np.testing.assert_allclose(brisque_features(data.chelsea()), PIQ_BRISQUE_OF_CHELSEA, rtol=1e-9)


def test_niqe_features_are_those_of_basicsr():
    features, sharpness = niqe_features(data.chelsea(), 96)
    assert features.shape == (12, 36) and sharpness.shape == (12,)
    np.testing.assert_allclose(features[0], BASICSR_NIQE_OF_FIRST_PATCH, atol=1e-5)
    np.testing.assert_allclose(features.mean(axis=0), BASICSR_MEAN_OVER_PATCHES, atol=1e-5)


def test_niqe_distance_is_that_of_basicsr():
    others = np.concatenate([niqe_features(image, 96)[0] for image in (data.astronaut(), data.coffee())])  # 49 patches
    chelsea, pristine = (
        Statistics(features.mean(axis=0), np.cov(features, rowvar=False))
        for features in (niqe_features(data.chelsea(), 96)[0], others)
    )
    assert statistics_distance(pristine, chelsea) == pytest.approx(BASICSR_CHELSEA_FROM_THE_OTHERS, rel=1e-3)
    assert statistics_distance(chelsea, chelsea) == 0


@pytest.mark.parametrize(("border", "mode"), [("zeros", "constant"), ("nearest", "nearest")])
def test_normalisation_is_that_of_a_two_dimensional_window(border, mode):
    luma = luminance(data.chelsea()[:40, :50])
    y, x = np.mgrid[-3:4, -3:4]
    window = np.exp(-(x**2 + y**2) / (2 * (7 / 6) ** 2))
    window /= window.sum()
    mean = correlate(luma, window, mode=mode)
    deviation = np.sqrt(np.abs(correlate(luma**2, window, mode=mode) - mean**2))
    coefficients, contrast = normalised(luma, border)
    np.testing.assert_allclose(contrast, deviation, atol=1e-9)
    np.testing.assert_allclose(coefficients, (luma - mean) / (deviation + 1), atol=1e-9)


def test_halving_keeps_grey_levels_and_rounds_odd_sizes_up():
    assert halved(np.full((7, 10), 93.0)).shape == (4, 5)
    np.testing.assert_allclose(halved(np.full((7, 10), 93.0)), 93)
    ramp = halved(np.arange(20.0)[None].repeat(20, axis=0))  # between the pixels 2i and 2i + 1, away from the borders
    np.testing.assert_allclose(ramp[:, 2:-2], np.arange(10)[None, 2:-2] * 2 + 0.5 + np.zeros((10, 1)))


@pytest.mark.parametrize(("draw", "shape"), [("normal", 2.0), ("laplace", 1.0)])
def test_fits_recover_the_law_of_their_samples(draw, shape):
    generator = np.random.default_rng(0)
    samples = getattr(generator, draw)(size=(2, 200_000)) * np.array([[1.0], [3.0]])
    fitted, variance = fit_gaussian(samples)
    np.testing.assert_allclose(fitted, shape, rtol=0.02)
    np.testing.assert_allclose(variance, samples.var(axis=1), rtol=0.01)
    positive = generator.random(samples.shape) < 2 / 3  # the density is continuous at zero
    fitted, left, right = fit_asymmetric_gaussian(np.where(positive, 2, -1) * np.abs(samples))
    np.testing.assert_allclose(fitted, shape, rtol=0.02)
    np.testing.assert_allclose(right / left, 2, rtol=0.02)


def test_shapes_are_the_nearest_of_the_grid():
    samples = np.random.default_rng(1).standard_t(5, size=(20, 300))
    shapes = np.arange(0.2, 10.001, 0.001)
    ratios = gamma(1 / shapes) * gamma(3 / shapes) / gamma(2 / shapes) ** 2
    expected = [shapes[np.argmin(np.abs(np.mean(x**2) / np.mean(np.abs(x)) ** 2 - ratios))] for x in samples]
    np.testing.assert_allclose(fit_gaussian(samples)[0], expected)


def test_images_without_contrast_have_finite_brisque_features():
    for grey in (0, 128):
        assert np.isfinite(brisque_features(np.full((40, 50, 3), grey, np.uint8))).all()
