"""The monotone map from predictions to opinion scores that PLCC and RMSE are read after."""

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
    """A fitted map; calling it maps predictions to the scale of the scores.

    Attributes:
        form: "logistic4", "logistic5", or "line" where no logistic could be fitted.
        coefficients: On standardised predictions t = (x - centre) / scale. logistic4: low, high, midpoint, log width.
            logistic5: amplitude, slope, midpoint, linear slope, offset. line: slope, offset.
        centre: Mean of the predictions fitted to.
        scale: Their standard deviation, 1 where they are constant.
    """

    form: str
    coefficients: tuple[float, ...]
    centre: float
    scale: float

    def __call__(self, predictions: ArrayLike) -> np.ndarray:
        """Predictions of any shape, mapped."""
        t = (np.asarray(predictions, np.float64) - self.centre) / self.scale
        return _FORMS[self.form](np.array(self.coefficients), t)


def fit_logistic(predictions: ArrayLike, scores: ArrayLike, parameters: int = 4) -> Logistic:
    """Fit a logistic by least squares.

    With 4 parameters it is the monotone curve of VQEG's FR-TV phase II report, (b1 - b2) / (1 + exp(-(x - b3) / |b4|)) + b2,
    with 5 the curve of Sheikh, Sabir and Bovik (2006), b1 (1/2 - 1 / (1 + exp(b2 (x - b3)))) + b4 x + b5. Predictions are
    standardised first and the iteration starts from the least-squares line. Where the logistic is not determined (at most
    as many images as parameters, constant predictions) or the bounded iteration ends more than 1 % worse than a straight
    line, the map is the least-squares line with its slope held at zero or above, and `form` says "line".

    Raises:
        InputError: `parameters` is neither 4 nor 5, there are no images, or a value is not finite.
    """
    if parameters not in (4, 5):
        raise InputError(f"evaluation.logistic: {parameters} parameters are not offered; use 4 or 5.")
    x, y = as_pair(predictions, scores)
    if not len(x):
        raise InputError("logistic: no images to fit it on; give the predictions of the training images.")
    centre, scale = float(x.mean()), float(x.std())
    if is_constant(x):
        return Logistic("line", (0.0, float(y.mean())), centre, 1.0)
    t = (x - centre) / scale
    slope, mean = float(np.mean(t * (y - y.mean()))), float(y.mean())
    line = (max(0.0, slope), mean)
    if len(x) <= parameters:
        return Logistic("line", line, centre, scale)
    form, start = f"logistic{parameters}", _start(slope, mean, parameters)
    curve, slopes = _FORMS[form], _SLOPES[form]
    fit = least_squares(lambda b: curve(b, t) - y, start, lambda b: slopes(b, t), method="lm", max_nfev=MAX_EVALUATIONS)
    worst = 1.01 * np.sum((_line(np.array(line), t) - y) ** 2)
    if not np.isfinite(fit.x).all() or 2 * fit.cost > worst:
        return Logistic("line", line, centre, scale)
    return Logistic(form, tuple(fit.x.tolist()), centre, scale)


def _start(slope: float, mean: float, parameters: int) -> list[float]:
    """The logistic that touches a straight line at t = 0 and is one deviation wide."""
    if parameters == 4:
        return [mean - 2 * slope, mean + 2 * slope, 0.0, 0.0]
    return [4 * slope, 1.0, 0.0, 0.0, mean]


def _logistic4(b: np.ndarray, t: np.ndarray) -> np.ndarray:
    return b[0] + (b[1] - b[0]) * expit((t - b[2]) * _steepness(b[3]))


def _slopes4(b: np.ndarray, t: np.ndarray) -> np.ndarray:
    z = (t - b[2]) * _steepness(b[3])
    s = expit(z)
    steep = (b[1] - b[0]) * s * (1 - s)
    return np.stack([1 - s, s, -steep * _steepness(b[3]), -steep * z], 1)


def _steepness(log_width: float) -> float:
    return np.exp(np.clip(-log_width, -30.0, 30.0))  # beyond, the curve is a step or flat, and exp would overflow


def _logistic5(b: np.ndarray, t: np.ndarray) -> np.ndarray:
    return b[0] * (expit(b[1] * (t - b[2])) - 0.5) + b[3] * t + b[4]


def _slopes5(b: np.ndarray, t: np.ndarray) -> np.ndarray:
    s = expit(b[1] * (t - b[2]))
    steep = b[0] * s * (1 - s)
    return np.stack([s - 0.5, steep * (t - b[2]), -steep * b[1], t, np.ones_like(t)], 1)


def _line(b: np.ndarray, t: np.ndarray) -> np.ndarray:
    return b[0] * t + b[1]


_FORMS = {"logistic4": _logistic4, "logistic5": _logistic5, "line": _line}
_SLOPES = {"logistic4": _slopes4, "logistic5": _slopes5}
