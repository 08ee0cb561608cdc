"""The dot with its interval, and the grey band behind it."""

import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from iqadistill.figures.drawing.style import BAND, GREY, INK

# of dots that stand for anything but selectors
COLORS = ["#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9"]
MARKERS = ["o", "s", "^", "D", "v", "P"]


def interval_bars(rows: pd.DataFrame | pd.Series) -> np.ndarray:
    """Lengths (2, n) of the bars below and above the medians of n rows.

    A bootstrap interval over very few splits need not hold the median; the bar on that side is then left out.
    """
    bars = np.vstack([rows["median"] - rows["low"], rows["high"] - rows["median"]])
    return bars.clip(min=0)


def dot(
    axes: Axes, position: float, row: pd.Series, color: str, marker: str, label: str = "", upright: bool = True
) -> None:
    """Draw a median with its 95 % interval at a categorical position, along y (upright) or along x."""
    reach = interval_bars(row)
    style = {"color": color, "marker": marker, "linestyle": "none", "elinewidth": 1.2, "capsize": 2, "label": label}
    if upright:
        axes.errorbar([position], [row["median"]], yerr=reach, **style)
    else:
        axes.errorbar([row["median"]], [position], xerr=reach, **style)


def random_band(axes: Axes, row: pd.Series | None, span: tuple[float, float] | None = None) -> None:
    """Grey band of random's interval with its median, across the axes or over `span` of x (data units)."""
    if row is None:
        return
    label = "random (band: 95 % interval)"
    if span is None:
        axes.axhspan(row.low, row.high, color=BAND, alpha=0.75, linewidth=0, zorder=0)
        axes.axhline(row["median"], color=GREY, linewidth=1.6, label=label, zorder=1)
        return
    axes.fill_between(span, row.low, row.high, color=BAND, alpha=0.75, linewidth=0, zorder=0)
    axes.plot(span, np.full(2, row["median"]), color=GREY, linewidth=1.6, label=label, zorder=1)


def all_patches_line(axes: Axes, row: pd.Series | None, span: tuple[float, float] | None = None) -> None:
    """Dashed line at the median of all patches."""
    if row is None:
        return
    style = {"color": INK, "linestyle": (0, (5, 3)), "linewidth": 1.1, "label": "all patches", "zorder": 2}
    if span is None:
        axes.axhline(row["median"], **style)
    else:
        axes.plot(span, np.full(2, row["median"]), **style)
