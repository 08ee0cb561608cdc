"""Failure of selection on pure noise: spectra and residuals of clean, distorted and pure-noise images."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import StrMethodFormatter
from matplotlib.typing import LineStyleType

from iqadistill.figures.drawing.style import label_powers, new_figure, shared_legend, styled
from iqadistill.figures.inputs import SelectionInputs
from iqadistill.figures.registry import FigureSpec
from iqadistill.selection.similarity import spectrum

FIGURE = FigureSpec(
    title="Failure on pure noise",
    caption=(
        "Eigenvalues of the similarity matrix S (the h largest form the target), variation of the residuals "
        "within an image, and distribution of the residuals, for clean, distorted and pure-noise panoramas; "
        "median and quartiles over images. If no eigenvalue stands out and the residuals are nearly equal, a "
        "ranking carries no information."
    ),
    alt=(
        "Charts of eigenvalues, variation of residuals and histogram of residuals for clean, distorted and "
        "pure-noise images."
    ),
    reads="selections",
    rates="none",
    needs=("metric", "gamma"),
    most_selectors=1,
)


class GroupStyle(NamedTuple):
    """Colour, marker and line style of a group of images."""

    color: str
    marker: str
    line: LineStyleType


STYLES = {
    "clean": GroupStyle("#0072b2", "o", "-"),
    "distorted": GroupStyle("#d55e00", "s", (0, (4, 1.5))),
    "pure noise": GroupStyle("#555555", "^", ":"),
}
BINS = np.linspace(0, 2.5, 41)


def draw(inputs: SelectionInputs) -> tuple[Figure, pd.DataFrame]:
    """Draw spectra and residuals of clean, distorted and pure-noise images; the last are those without scores."""
    ((name, settings),) = inputs.selectors.items()
    spectra: dict[str, list[np.ndarray]] = {}
    residuals: dict[str, list[np.ndarray]] = {}
    for table in inputs.tables:
        images = inputs.read_images(table).set_index("image_id")
        residuals_of_image = inputs.read_selection(table, name).groupby("image_id").residual
        for image, vectors in inputs.read_embeddings(table):
            group = _group(images.loc[image])
            spectra.setdefault(group, []).append(spectrum(vectors, metric=settings["metric"], gamma=settings["gamma"]))
            residuals.setdefault(group, []).append(residuals_of_image.get_group(image).to_numpy())
    return plot_noise_failure(spectra, residuals)


def _group(image: pd.Series) -> str:
    if image.is_reference:
        return "clean"
    return "pure noise" if np.isnan(image.score) else "distorted"


@styled
def plot_noise_failure(
    spectra: Mapping[str, Sequence[np.ndarray]], residuals: Mapping[str, Sequence[np.ndarray]]
) -> tuple[Figure, pd.DataFrame]:
    """Draw eigenvalues of S, variation of the residuals and their distribution for groups of images.

    Args:
        spectra: Descending eigenvalues (n,) of S of each image, by group: "clean", "distorted" or "pure noise".
        residuals: Residuals (n,) of the patches of each image, by group.

    Returns:
        The figure, and a table with one row per group, `quantity` and `index` with median and quartiles over images:
        `eigenvalue` (fraction of the trace, by index from 1), `residual_variation` (standard deviation / mean) and
        `components_90` (number of eigenvalues that make up 90 % of the trace).
    """
    figure = new_figure(10.2, 3.6)
    decay, variation, distribution = figure.subplots(1, 3)
    rows = []
    for position, group in enumerate(spectra):
        color, marker, line = STYLES[group]
        shares = [_shares(values) for values in spectra[group]]
        quartiles = _quartiles_by_index(shares)
        index = np.arange(1, quartiles.shape[1] + 1)
        decay.fill_between(index, quartiles[0], quartiles[2], color=color, alpha=0.2, linewidth=0)
        decay.plot(index, quartiles[1], color=color, linestyle=line, label=group)
        rows += [(group, "eigenvalue", i, *column) for i, column in zip(index, quartiles.T, strict=True)]
        variations = np.array([np.std(values) / np.mean(values) for values in residuals[group]])
        rows.append((group, "residual_variation", 0, *np.quantile(variations, [0.25, 0.5, 0.75])))
        components = [np.searchsorted(np.cumsum(share), 0.9) + 1 for share in shares]
        rows.append((group, "components_90", 0, *np.quantile(components, [0.25, 0.5, 0.75])))
        _draw_variation(variation, position, variations, color, marker)
        relative = np.concatenate([values / np.mean(values) for values in residuals[group]])
        heights = np.histogram(relative.clip(max=BINS[-1]), BINS)[0] / len(relative)
        distribution.stairs(heights, BINS, color=color, linestyle=line, linewidth=1.5, label=group)
    decay.set(
        yscale="log", xscale="log", xlabel="eigenvalue index", ylabel="fraction of the trace", title="Eigenvalues of S"
    )
    label_powers(decay.xaxis)
    label_powers(decay.yaxis)
    decay.xaxis.set_major_formatter(StrMethodFormatter("{x:g}"))
    smallest = min(row[4] for row in rows if row[1] == "eigenvalue")
    decay.set_ylim(bottom=max(1e-6, smallest / 2))
    variation.set_xticks(range(len(spectra)), [f"{group}\n{len(spectra[group])} images" for group in spectra])
    variation.set(
        title="Variation of residuals in an image", ylabel="standard deviation / mean", xlim=(-0.6, len(spectra) - 0.4)
    )
    variation.set_ylim(bottom=0)
    distribution.set(
        title="Residuals of all patches", xlabel="residual / mean of its image", ylabel="fraction of patches"
    )
    for axes in (decay, variation, distribution):
        axes.grid(axis="y")
    shared_legend(figure)
    return figure, pd.DataFrame(rows, columns=["group", "quantity", "index", "q1", "median", "q3"])


def _shares(eigenvalues: np.ndarray) -> np.ndarray:
    """Eigenvalues (n,) as fractions of the trace; negative ones (rounding, non-metric distances) count as zero."""
    positive = np.clip(eigenvalues, 0, None)
    return positive / positive.sum()


def _quartiles_by_index(rows: list[np.ndarray]) -> np.ndarray:
    """Quartiles (3, n) over images; the spectra of images with fewer patches are padded with zeros."""
    padded = np.zeros((len(rows), max(len(row) for row in rows)))
    for padded_row, row in zip(padded, rows, strict=True):
        padded_row[: len(row)] = row
    return np.quantile(padded, [0.25, 0.5, 0.75], axis=0)


def _draw_variation(axes: Axes, position: int, values: np.ndarray, color: str, marker: str) -> None:
    """Draw the values of a group as sorted dots around its position, with their median as a line."""
    x = position + (np.linspace(-0.22, 0.22, len(values)) if len(values) > 1 else np.zeros(1))
    axes.plot(x, np.sort(values), linestyle="none", marker=marker, markersize=3, color=color, alpha=0.55)
    axes.plot([position - 0.3, position + 0.3], [np.median(values)] * 2, color=color, linewidth=2)
