"""Convergence of the solvers of residual selection."""

from collections.abc import Mapping

import matplotlib
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import ScalarFormatter
from matplotlib.typing import LineStyleType

from iqadistill.figures.drawing.style import label_powers, new_figure, shared_legend, styled
from iqadistill.figures.inputs import SelectionInputs
from iqadistill.figures.registry import FigureSpec

FIGURE = FigureSpec(
    title="Convergence of residual selection",
    caption=(
        "Excess of the objective (Eq. 7) over the best value reached, and relative duality gap, against the "
        "iteration: median and quartiles over {{ 'all' if table is none else table.images.max() }} images. "
        "Converged: the gap is at most {{ 'the tolerance' if table is none else table.tolerance.max() }}; stagnated: "
        "the objective no longer changes, but the gap is larger. An excess below 1e-7 is drawn at 1e-7."
        "{% set eighth = none if table is none else table.query(\"solver == 'published' and iteration == 8\") %}"
        "{% if eighth is not none and eighth.size %} The paper reports 6 to 8 iterations: after 8, the published "
        "solver is {{ '%.1f' | format(100 * eighth.excess_median.max()) }} % above the best objective (median over "
        "images, largest over h).{% endif %}"
    ),
    alt="Line charts of objective and duality gap against iteration for several h and both solvers.",
    reads="selections",
    rates="none",
    needs=("n_components", "solver"),
)

LINES: dict[str, LineStyleType] = {"irls": "-", "published": (0, (4, 2))}
WINDOW = 5  # iterations over which an objective must change
MIN_CHANGE = 1e-6  # relative change of the objective below which it has stagnated
FLOOR = 1e-7  # smallest excess drawn: the best iterate has none, which a log axis cannot show


def draw(inputs: SelectionInputs) -> tuple[Figure, pd.DataFrame]:
    """Draw the traces of all selectors over the images of all embedding tables."""
    traces = {}
    for name, settings in inputs.selectors.items():
        rows = [inputs.read_trace(table, name).assign(table="/".join(table)) for table in inputs.tables]
        trace = pd.concat(rows, ignore_index=True)
        traces[settings["n_components"], settings["solver"]] = trace.assign(image_id=trace.table + "/" + trace.image_id)
    return plot_convergence(traces)


@styled
def plot_convergence(
    traces: Mapping[tuple[int, str], pd.DataFrame], tolerance: float = 1e-3
) -> tuple[Figure, pd.DataFrame]:
    """Draw objective and duality gap against the iteration: median and quartiles over images for each h and solver.

    The objective is drawn as its excess over the best value that any solver with the same h reached on the same image.
    An image that has stopped keeps its last value. An image has stagnated if its objective changed by less than 1e-6
    (relative) over the last five iterations and its duality gap is not within the tolerance.

    Args:
        traces: Table "selection_trace" by (h, solver); a gap is null if it was not computed.
        tolerance: Relative duality gap up to which an image has converged.

    Returns:
        The figure, and a table with one row per h, solver and iteration: median and quartiles of excess and gap, the
        `tolerance`, the fractions of images `converged` and `stagnated` at the end, and the median `last_iteration`.
    """
    best = {h: _best(traces, h) for h in sorted({h for h, _ in traces})}
    colors = dict(zip(best, matplotlib.colormaps["viridis"](np.linspace(0.05, 0.8, len(best))), strict=True))
    figure = new_figure(8.6, 4.0)
    excess_axes, gap_axes = figure.subplots(1, 2, sharex=True)
    tables = []
    for (h, solver), trace in sorted(traces.items(), key=lambda item: item[0]):
        table = _quartiles(trace, best[h], tolerance).assign(h=h, solver=solver)
        end = table.iloc[-1]
        label = f"h = {h}, {solver}: {end.converged:.0%} converged"
        if end.stagnated > 0:
            label += f", {end.stagnated:.0%} stagnated"
        for axes, quantity in [(excess_axes, "excess"), (gap_axes, "gap")]:
            _draw(axes, table, quantity, colors[h], LINES.get(solver, ":"), label)
        tables.append(table)
    gap_axes.axhline(tolerance, color="#222222", linewidth=1, linestyle=":")
    gap_axes.annotate(
        f"tolerance {tolerance:g}", (0.02, tolerance), xycoords=("axes fraction", "data"), fontsize=8, va="bottom"
    )
    excess_axes.set(ylabel="objective / best reached - 1", title="Objective", xlabel="iteration")
    gap_axes.set(ylabel="relative duality gap", title="Duality gap", xlabel="iteration")
    shared_legend(figure, columns=2)
    table = pd.concat(tables, ignore_index=True)
    return figure, table[["h", "solver", *table.columns.drop(["h", "solver"])]]


def stagnation_warnings(table: pd.DataFrame) -> list[str]:
    """One sentence for each (h, solver) that did not converge on all images.

    Args:
        table: Table that `plot_convergence` returns.
    """
    sentences = []
    for (h, solver), rows in table.groupby(["h", "solver"], sort=True):
        end = rows.iloc[-1]
        if end.converged < 1:
            sentences.append(
                f"Selection with h = {h}, solver {solver}: {1 - end.converged:.0%} of {end.images:.0f} images ended "
                f"with a duality gap above the tolerance, and {end.stagnated:.0%} stagnated (objective unchanged over "
                f"the last {WINDOW} iterations), after a median of {end.last_iteration:.0f} iterations."
            )
    return sentences


def _best(traces: Mapping[tuple[int, str], pd.DataFrame], h: int) -> pd.Series:
    same = pd.concat([trace for (size, _), trace in traces.items() if size == h])
    return same.groupby("image_id").objective.min()


def _quartiles(trace: pd.DataFrame, best: pd.Series, tolerance: float) -> pd.DataFrame:
    objective = trace.pivot(index="iteration", columns="image_id", values="objective")
    gap = trace.pivot(index="iteration", columns="image_id", values="gap").ffill()
    final_gap = gap.iloc[-1]
    tails = {image: values.dropna().tail(WINDOW + 1) for image, values in objective.items()}
    unchanged = np.array(
        [abs(tail.iloc[0] - tail.iloc[-1]) < MIN_CHANGE * max(1.0, abs(tail.iloc[-1])) for tail in tails.values()]
    )
    converged = (final_gap <= tolerance).to_numpy()
    excess = (objective.ffill() / best[objective.columns] - 1).clip(lower=FLOOR)
    columns = {"iteration": objective.index}
    for name, values in [("excess", excess), ("gap", gap)]:
        for part, level in [("median", 0.5), ("q1", 0.25), ("q3", 0.75)]:
            columns[f"{name}_{part}"] = values.quantile(level, axis=1).to_numpy()
    return pd.DataFrame(columns).assign(
        images=objective.shape[1],
        tolerance=tolerance,
        converged=converged.mean(),
        stagnated=(unchanged & ~converged).mean(),
        last_iteration=trace.groupby("image_id").iteration.max().median(),
    )


def _draw(
    axes: Axes, table: pd.DataFrame, quantity: str, color: np.ndarray, line_style: LineStyleType, label: str
) -> None:
    iteration, median = table.iteration, table[f"{quantity}_median"]
    axes.fill_between(iteration, table[f"{quantity}_q1"], table[f"{quantity}_q3"], color=color, alpha=0.15, linewidth=0)
    # the gap of the published solver is known after the last iteration only: a point, not a line
    marker = "o" if median.notna().sum() == 1 else ""
    axes.plot(iteration, median, color=color, linestyle=line_style, marker=marker, label=label)
    axes.set_xscale("symlog", linthresh=1)
    axes.xaxis.set_major_formatter(ScalarFormatter())
    axes.set_yscale("log")
    label_powers(axes.yaxis)
    axes.set_xlim(left=min(float(iteration.min()), 1.0))
    axes.grid(axis="y")
