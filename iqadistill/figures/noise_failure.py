"""Why selection cannot work on patches that share nothing: spectra and residuals of clean, distorted and noise patches."""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import StrMethodFormatter

from iqadistill.figures.drawing.style import new_figure, shared_legend, styled
from iqadistill.figures.inputs import SelectionInputs
from iqadistill.figures.registry import FigureSpec
from iqadistill.selection.similarity import spectrum

FIGURE = FigureSpec(
    title="Patches that share nothing",
    caption=(
        "Eigenvalues of the similarity matrix S (the h largest make the target), spread of the residuals "
        "within an image and their distribution, for clean, distorted and pure-noise panoramas; median and "
        "quartiles over images. Where no eigenvalue stands out and residuals are nearly equal, a ranking says "
        "nothing."
    ),
    alt=(
        "Eigenvalue decay, spread of residuals and histogram of residuals for clean, distorted and pure-noise images."
    ),
    reads="selections",
    rates="none",
    needs=("metric", "gamma"),
    most_selectors=1,
)

LOOKS = {
    "clean": ("#0072b2", "o", "-"),
    "distorted": ("#d55e00", "s", (0, (4, 1.5))),
    "pure noise": ("#555555", "^", ":"),
}
_OTHER = ("#009e73", "D", "-.")
BINS = np.linspace(0, 2.5, 41)


def draw(inputs: SelectionInputs) -> tuple[Figure, pd.DataFrame]:
    """Draw spectra and residuals of clean, distorted and pure-noise images (a dataset without references or scores)."""
    ((name, settings),) = inputs.selectors.items()
    spectra, residuals = {}, {}
    for table in inputs.tables:
        images = inputs.read_images(table).set_index("image_id")
        selected = inputs.read_selection(table, name).groupby("image_id").residual
        for image, vectors in inputs.read_vectors(table):
            group = _group(images.loc[image])
            spectra.setdefault(group, []).append(spectrum(vectors, metric=settings["metric"], gamma=settings["gamma"]))
            residuals.setdefault(group, []).append(selected.get_group(image).to_numpy())
    return plot_noise_failure(spectra, residuals)


def _group(image: pd.Series) -> str:
    if image.is_reference:
        return "clean"
    return "pure noise" if np.isnan(image.score) else "distorted"


@styled
def plot_noise_failure(
    spectra: Mapping[str, Sequence[np.ndarray]], residuals: Mapping[str, Sequence[np.ndarray]]
) -> tuple[Figure, pd.DataFrame]:
    """Draw eigenvalue decay of S, spread of the residuals and their distribution for groups of images.

    Args:
        spectra: Group (`clean`, `distorted`, `pure noise`) -> for each image the eigenvalues of S, descending, (n,).
        residuals: Group -> for each image the residuals of its patches, (n,).

    Returns:
        The figure, and a row for each group and `quantity` with `index`, median and quartiles over images: `eigenvalue`
        (share of the trace, by index from 1), `residual_variation` (standard deviation / mean) and `components_90`
        (eigenvalues that hold 90 % of the trace).
    """
    figure = new_figure(10.2, 3.6)
    decay, variation, distribution = figure.subplots(1, 3)
    rows = []
    for place, group in enumerate(spectra):
        color, marker, line = LOOKS.get(group, _OTHER)
        shares = [_shares(values) for values in spectra[group]]
        quartiles = _quartiles_by_index(shares)
        index = np.arange(1, quartiles.shape[1] + 1)
        decay.fill_between(index, quartiles[0], quartiles[2], color=color, alpha=0.2, linewidth=0)
        decay.plot(index, quartiles[1], color=color, linestyle=line, label=group)
        rows += [(group, "eigenvalue", i, *column) for i, column in zip(index, quartiles.T, strict=True)]
        spread = np.array([np.std(values) / np.mean(values) for values in residuals[group]])
        rows.append((group, "residual_variation", 0, *np.quantile(spread, [0.25, 0.5, 0.75])))
        held = [np.searchsorted(np.cumsum(share), 0.9) + 1 for share in shares]
        rows.append((group, "components_90", 0, *np.quantile(held, [0.25, 0.5, 0.75])))
        _draw_spread(variation, place, spread, color, marker)
        relative = np.concatenate([values / np.mean(values) for values in residuals[group]])
        heights = np.histogram(relative.clip(max=BINS[-1]), BINS)[0] / len(relative)
        distribution.stairs(heights, BINS, color=color, linestyle=line, linewidth=1.5, label=group)
    decay.set(
        yscale="log", xscale="log", xlabel="index of eigenvalue", ylabel="share of the trace", title="Eigenvalues of S"
    )
    decay.xaxis.set_major_formatter(StrMethodFormatter("{x:g}"))
    smallest = min(row[4] for row in rows if row[1] == "eigenvalue")
    decay.set_ylim(bottom=max(1e-6, smallest / 2))
    variation.set_xticks(range(len(spectra)), [f"{group}\n{len(spectra[group])} images" for group in spectra])
    variation.set(
        title="Spread of residuals in an image", ylabel="standard deviation / mean", xlim=(-0.6, len(spectra) - 0.4)
    )
    variation.set_ylim(bottom=0)
    distribution.set(title="Residuals of all patches", xlabel="residual / mean of its image", ylabel="share of patches")
    for axes in (decay, variation, distribution):
        axes.grid(axis="y")
    shared_legend(figure)
    return figure, pd.DataFrame(rows, columns=["group", "quantity", "index", "q1", "median", "q3"])


def _shares(eigenvalues: np.ndarray) -> np.ndarray:
    """Eigenvalues as shares of the trace; those below zero by rounding or by a non-metric distance count as zero."""
    positive = np.clip(eigenvalues, 0, None)
    return positive / positive.sum()


def _quartiles_by_index(rows: list[np.ndarray]) -> np.ndarray:
    """Quartiles (3, n) over images; an image with fewer patches has zero eigenvalues beyond its own."""
    padded = np.zeros((len(rows), max(len(row) for row in rows)))
    for line, row in zip(padded, rows, strict=True):
        line[: len(row)] = row
    return np.quantile(padded, [0.25, 0.5, 0.75], axis=0)


def _draw_spread(axes: Axes, place: int, spread: np.ndarray, color: str, marker: str) -> None:
    beside = np.linspace(-0.22, 0.22, len(spread)) if len(spread) > 1 else np.zeros(1)
    axes.plot(place + beside, np.sort(spread), linestyle="none", marker=marker, markersize=3, color=color, alpha=0.55)
    axes.plot([place - 0.3, place + 0.3], [np.median(spread)] * 2, color=color, linewidth=2)
