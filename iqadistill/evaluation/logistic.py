"""Logistic mapping from predictions to opinion scores, fitted before PLCC and RMSE (VQEG)."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike
from scipy.optimize import least_squares
from scipy.special import expit

from iqadistill.errors import InputError
from iqadistill.evaluation.correlation import as_pair, is_constant

MAX_EVALUATIONS = 400


@dataclass(frozen=True)
class Logistic:
    """A fitted mapping; calling it maps predictions to the scale of the scores.

    Attributes:
        form: "logistic4", "logistic5", or "line" if no logistic could be fitted.
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
    """Fit a logistic function by least squares.

    With 4 parameters, the function is the monotone one of the VQEG FR-TV phase II report (2003),
    (b1 - b2) / (1 + exp(-(x - b3) / |b4|)) + b2; with 5, that of Sheikh, Sabir and Bovik (2006),
    b1 (1/2 - 1 / (1 + exp(b2 (x - b3)))) + b4 x + b5. Predictions are standardised, and the optimisation starts from
    the least-squares line. If the fit is underdetermined (no more images than parameters, or constant predictions) or
    ends with a squared error more than 1 % above that of the line, the mapping is the least-squares line with a slope
    of at least zero, and its `form` is "line".

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
    line = (max(0.0, slope), mean)
    if len(x) <= parameters:
        return Logistic("line", line, centre, scale)
    form, start = f"logistic{parameters}", _start(slope, mean, parameters)
    curve, jacobian = _FORMS[form], _JACOBIANS[form]
    fit = least_squares(
        lambda b: curve(b, t) - y, start, lambda b: jacobian(b, t), method="lm", max_nfev=MAX_EVALUATIONS
    )
    limit = 1.01 * np.sum((_line(np.array(line), t) - y) ** 2)
    if not np.isfinite(fit.x).all() or 2 * fit.cost > limit:
        return Logistic("line", line, centre, scale)
    return Logistic(form, tuple(fit.x.tolist()), centre, scale)


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
