"""Who keeps copies: some patches of an image occur several times, as overlapping or uniform patches nearly do."""

from collections.abc import Iterable, Mapping, Sequence

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from iqadistill.figures.drawing.style import INK, new_figure, selector_styles, shared_legend, styled
from iqadistill.figures.inputs import SelectionInputs
from iqadistill.figures.registry import FigureSpec
from iqadistill.selection.base import Selector, keep_count
from iqadistill.selection.registry import SELECTORS

FIGURE = FigureSpec(
    title="Copied patches",
    caption=(
        "Of up to 20 patches of an image a fifth was copied three times, and each selector ranked patches and copies "
        "together; mean over the first 100 images at most. Left: fraction of the kept patches that have copies; the "
        "dashed line is their fraction before selection, so a selector above it prefers redundant patches. Right: "
        "distinct patches among the kept ones; the dashed line is the most there can be."
    ),
    alt="Line charts of the fraction of copied patches and of distinct patches among those kept, by keep rate.",
    reads="selections",
    rates="many",
    ranks=True,
    most_tables=1,
)

PATCHES = 20  # of an image, before copying
COPIED = 5  # one patch in so many is copied ...
COPIES = 3  # ... so many times
IMAGES = 100  # images that are ranked, the first ones: enough for means, and seconds for every selector


def draw(inputs: SelectionInputs) -> tuple[Figure, pd.DataFrame]:
    """Rank the patches and copies of the first images with every selector of the experiment."""
    embeddings = (vectors for _, vectors in inputs.read_embeddings(inputs.tables[0]))
    pools = [copied_patches(vectors, seed) for vectors, seed in zip(embeddings, range(IMAGES), strict=False)]
    selectors = {name: SELECTORS.create(settings).create() for name, settings in inputs.selectors.items()}
    return plot_copies(kept_copies(selectors, pools, inputs.experiment.keep))


def copied_patches(vectors: np.ndarray, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Embeddings of some patches of an image, a fifth of them several times.

    Args:
        vectors: Embeddings (n, d) of the patches of an image.
        seed: Seed of the draw of patches and of those that are copied.

    Returns:
        Embeddings (m, d), and for each the number (m,) of the patch that it is or was copied from. The patches that
        were copied have the lowest numbers.
    """
    chosen = np.random.default_rng(seed).permutation(len(vectors))[:PATCHES]
    copied = np.arange(max(1, len(chosen) // COPIED))
    patch = np.concatenate([np.arange(len(chosen)), np.tile(copied, COPIES)])
    return vectors[chosen[patch]], patch


def kept_copies(
    selectors: Mapping[str, Selector], pools: Sequence[tuple[np.ndarray, np.ndarray]], rates: Iterable[float]
) -> pd.DataFrame:
    """What each selector keeps of images with copied patches.

    Args:
        selectors: Selectors by name.
        pools: Embeddings and numbers of patches of each image, as `copied_patches` gives them.
        rates: Keep rates.

    Returns:
        One row per selector and keep rate, means over images: `copied` (fraction of the kept that occur several times),
        `copied_before` (their fraction among all), `distinct` (different patches among the kept, as a fraction of the
        kept), `most_distinct` (the largest such fraction), and `images`.
    """
    rows = []
    rates = list(rates)
    for name, selector in selectors.items():
        fitted = selector.fit_many([vectors for vectors, _ in pools], list(range(len(pools))))
        for keep in rates:
            shares = []
            for one, (_, patch) in zip(fitted, pools, strict=True):
                often, kept = np.bincount(patch) > 1, patch[one.ranking_[: keep_count(len(patch), keep)]]
                most = min(1.0, len(often) / len(kept))
                shares.append((often[kept].mean(), often[patch].mean(), len(set(kept)) / len(kept), most))
            rows.append((name, keep, *np.mean(shares, axis=0), len(pools)))
    columns = ["selector", "keep", "copied", "copied_before", "distinct", "most_distinct", "images"]
    return pd.DataFrame(rows, columns=columns).sort_values(["selector", "keep"], ignore_index=True)


@styled
def plot_copies(table: pd.DataFrame) -> tuple[Figure, pd.DataFrame]:
    """Draw the fraction of copied and of distinct patches among the kept ones against the keep rate.

    Args:
        table: As `kept_copies` gives it.

    Returns:
        The figure and the table.
    """
    figure = new_figure(8.4, 4.0)
    styles = selector_styles(table.selector)
    panels = (
        ("copied", "copied_before", "kept patches that have copies"),
        ("distinct", "most_distinct", "distinct patches among the kept"),
    )
    for axes, (column, reference, label) in zip(figure.subplots(1, 2), panels, strict=True):
        line = table.groupby("keep")[reference].first()
        axes.plot(line.index, line, color=INK, linestyle=(0, (5, 3)), linewidth=1.1, label="before selection, or most")
        for name, (text, color, marker) in styles.items():
            rows = table[table.selector == name]
            axes.plot(rows.keep, rows[column], color=color, marker=marker, markeredgewidth=0, label=text)
        axes.set(xlabel="keep rate", ylabel=label, ylim=(0, 1.03))
        axes.grid(axis="y")
    shared_legend(figure)
    return figure, table
