"""Logistic mapping from predictions to opinion scores, fitted before PLCC and RMSE (VQEG).

The mapping rises with the predictions: at every point with 4 parameters, and on the whole with 5, whose curve is not
monotone in general. Otherwise it would make an upside-down predictor look as good as a right one.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike
from scipy.optimize import least_squares
from scipy.special import expit

from iqadistill.errors import InputError
from iqadistill.evaluation.correlation import as_pair, is_constant

MAX_EVALUATIONS = 400

# Largest steepness of the sigmoid per standard deviation of the predictions. Nothing limits it between two clusters of
# training predictions, and a step there would leave test predictions two values only: perfect predictors then have a
# PLCC of .85 in the median and .5 in the worst case. At 3, they keep .95 and .89. Students that learned to score need
# less: at most 2.7 in 880 fits of MLPs on gallery360 and gallery2d, 2.2 in 99 of 100 fits.
MAX_STEEPNESS = 3.0

FLAT = 1e-3  # a mapping that rises less, in standard deviations of scores per one of predictions, is flat


@dataclass(frozen=True)
class Logistic:
    """A fitted mapping; calling it maps predictions to the scale of the scores.

    Attributes:
        form: "logistic4", "logistic5", or "line" if a line stands in for the logistic.
        coefficients: Coefficients for standardised predictions t = (x - centre) / scale. logistic4: low, high,
            midpoint, log width. logistic5: amplitude, slope, midpoint, linear slope, offset. line: slope, offset.
        centre: Mean of the predictions in the fit.
        scale: Standard deviation of the predictions in the fit; 1 if they are constant.
    """

    form: str
    coefficients: tuple[float, ...]
    centre: float
    scale: float

    def __call__(self, predictions: ArrayLike) -> np.ndarray:
        """Map predictions of any shape to the scale of the scores."""
        t = (np.asarray(predictions, np.float64) - self.centre) / self.scale
        return _FORMS[self.form](np.array(self.coefficients), t)


def fit_logistic(predictions: ArrayLike, scores: ArrayLike, parameters: int = 4) -> Logistic:
    """Fit a rising logistic function by least squares.

    With 4 parameters, the function is the monotone one of the VQEG FR-TV phase II report (2003),
    (b1 - b2) / (1 + exp(-(x - b3) / |b4|)) + b2; with 5, that of Sheikh, Sabir and Bovik (2006),
    b1 (1/2 - 1 / (1 + exp(b2 (x - b3)))) + b4 x + b5, which is not monotone in general. Predictions are standardised,
    and the optimisation starts from the least-squares line. A sigmoid steeper than `MAX_STEEPNESS` is fitted again
    within that bound.

    A line stands in for the logistic, and `form` is "line", where the fit is underdetermined (no more images than
    parameters, or constant predictions), ends with a squared error more than 1 % above that of the line, or does not
    rise: it falls, or is flat, over the predictions as a whole. The line is that of least squares, or, where that does
    not rise either, the line through the means with slope std(scores) / std(predictions): PLCC after the mapping is
    then the PLCC without it, negative for predictions that are upside down.

    Args:
        predictions: Predictions (n,) of training images.
        scores: Scores (n,) of the same images.
        parameters: Number of parameters, 4 or 5.

    Raises:
        InputError: `parameters` is neither 4 nor 5, there are no images, or a value is not finite.
    """
    if parameters not in (4, 5):
        raise InputError(f"evaluation.logistic: got {parameters} parameters; use 4 or 5.")
    x, y = as_pair(predictions, scores)
    if not len(x):
        raise InputError("logistic: no images to fit; give the predictions for the training images.")
    centre, scale = float(x.mean()), float(x.std())
    if is_constant(x):
        return Logistic("line", (0.0, float(y.mean())), centre, 1.0)
    t = (x - centre) / scale
    slope, mean = float(np.mean(t * (y - y.mean()))), float(y.mean())
    least = FLAT * float(y.std())  # slope below which a mapping is flat
    line = Logistic("line", (slope if slope > least else float(y.std()), mean), centre, scale)
    if len(x) <= parameters:
        return line
    form = f"logistic{parameters}"
    coefficients, error = _least_squares(form, t, y, _start(slope, mean, parameters))
    limit = 1.01 * np.sum((line(x) - y) ** 2)
    if not np.isfinite(coefficients).all() or error > limit:
        return line
    curve = Logistic(form, tuple(coefficients.tolist()), centre, scale)
    return curve if np.mean(t * curve(x)) > least else line


def _least_squares(form: str, t: np.ndarray, y: np.ndarray, start: list[float]) -> tuple[np.ndarray, float]:
    """Coefficients with the least sum of squared errors within `MAX_STEEPNESS`, and that sum."""
    low, high = _BOUNDS[form]

    def residuals(b: np.ndarray) -> np.ndarray:
        return _FORMS[form](b, t) - y

    def jacobian(b: np.ndarray) -> np.ndarray:
        return _JACOBIANS[form](b, t)

    fit = least_squares(residuals, start, jacobian, method="lm", max_nfev=MAX_EVALUATIONS)
    if (fit.x < low).any() or (fit.x > high).any():
        fit = least_squares(residuals, start, jacobian, method="trf", bounds=(low, high), max_nfev=MAX_EVALUATIONS)
    return fit.x, 2 * float(fit.cost)


def _start(slope: float, mean: float, parameters: int) -> list[float]:
    """Coefficients of the logistic that is tangent to a line at t = 0 and one standard deviation wide."""
    if parameters == 4:
        return [mean - 2 * slope, mean + 2 * slope, 0.0, 0.0]
    return [4 * slope, 1.0, 0.0, 0.0, mean]


def _logistic4(b: np.ndarray, t: np.ndarray) -> np.ndarray:
    return b[0] + (b[1] - b[0]) * expit((t - b[2]) * _steepness(b[3]))


def _jacobian4(b: np.ndarray, t: np.ndarray) -> np.ndarray:
    z = (t - b[2]) * _steepness(b[3])
    s = expit(z)
    steep = (b[1] - b[0]) * s * (1 - s)
    return np.stack([1 - s, s, -steep * _steepness(b[3]), -steep * z], 1)


def _steepness(log_width: float) -> float:
    return np.exp(
        np.clip(-log_width, -30.0, 30.0)
    )  # beyond this range the curve is a step or flat; prevents overflow of exp


def _logistic5(b: np.ndarray, t: np.ndarray) -> np.ndarray:
    return b[0] * (expit(b[1] * (t - b[2])) - 0.5) + b[3] * t + b[4]


def _jacobian5(b: np.ndarray, t: np.ndarray) -> np.ndarray:
    s = expit(b[1] * (t - b[2]))
    steep = b[0] * s * (1 - s)
    return np.stack([s - 0.5, steep * (t - b[2]), -steep * b[1], t, np.ones_like(t)], 1)


def _line(b: np.ndarray, t: np.ndarray) -> np.ndarray:
    return b[0] * t + b[1]


_FORMS = {"logistic4": _logistic4, "logistic5": _logistic5, "line": _line}
_JACOBIANS = {"logistic4": _jacobian4, "logistic5": _jacobian5}
_BOUNDS = {  # lowest and highest coefficients
    "logistic4": ([-np.inf, -np.inf, -np.inf, -np.log(MAX_STEEPNESS)], [np.inf] * 4),
    "logistic5": (
        [-np.inf, -MAX_STEEPNESS, -np.inf, -np.inf, -np.inf],
        [np.inf, MAX_STEEPNESS, np.inf, np.inf, np.inf],
    ),
}
