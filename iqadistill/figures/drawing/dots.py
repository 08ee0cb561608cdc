"""Dots with intervals, the grey band of random selection and the dashed line of all patches."""

import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from iqadistill.figures.drawing.style import BAND, GREY, INK

# colours and markers of everything but selectors, whose settings define theirs
COLORS = ["#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9"]
MARKERS = ["o", "s", "^", "D", "v", "P"]


def interval_bars(rows: pd.DataFrame | pd.Series, level: str = "mean") -> np.ndarray:
    """Lengths (2, n) of the error bars below and above the levels of n rows; NaN where a row has no interval."""
    return np.vstack([rows[level] - rows["low"], rows["high"] - rows[level]])


def dot(
    axes: Axes,
    position: float,
    row: pd.Series,
    color: str,
    marker: str,
    label: str = "",
    upright: bool = True,
    level: str = "mean",
) -> None:
    """Draw a level with its interval, if it has one.

    Args:
        axes: Axes to draw on.
        position: Position on the categorical axis.
        row: Row with the level, low and high.
        color: Colour of dot and error bar.
        marker: Marker of the dot, one of matplotlib's.
        label: Label in the legend; none if empty.
        upright: Whether the values lie along y; along x otherwise.
        level: Column of the level.
    """
    bars = interval_bars(row, level)
    x, y = ([position], [row[level]]) if upright else ([row[level]], [position])
    axes.errorbar(
        x,
        y,
        xerr=None if upright else bars,
        yerr=bars if upright else None,
        color=color,
        marker=marker,
        linestyle="none",
        elinewidth=1.2,
        capsize=2,
        label=label,
    )


def random_band(axes: Axes, row: pd.Series | None, span: tuple[float, float] | None = None) -> None:
    """Draw the interval of random selection as a grey band with its mean as a line.

    Args:
        axes: Axes to draw on.
        row: Row of random selection; nothing is drawn if it is None.
        span: Limits of the band along x, in data units; the full width if None.
    """
    if row is None:
        return
    label = "random (band: 95 % interval)"
    if span is None:
        if np.isfinite(row.low):
            axes.axhspan(row.low, row.high, color=BAND, alpha=0.75, linewidth=0, zorder=0)
        axes.axhline(row["mean"], color=GREY, linewidth=1.6, label=label, zorder=1)
        return
    axes.fill_between(span, row.low, row.high, color=BAND, alpha=0.75, linewidth=0, zorder=0)
    axes.plot(span, np.full(2, row["mean"]), color=GREY, linewidth=1.6, label=label, zorder=1)


def all_patches_line(axes: Axes, row: pd.Series | None, span: tuple[float, float] | None = None) -> None:
    """Draw the mean of all patches as a dashed line; the arguments are those of `random_band`."""
    if row is None:
        return
    if span is None:
        line = axes.axhline(row["mean"])
    else:
        (line,) = axes.plot(span, np.full(2, row["mean"]))
    line.set(color=INK, linestyle=(0, (5, 3)), linewidth=1.1, label="all patches", zorder=2)
