"""From a study's selections to the figures that draw them."""

import itertools
from collections.abc import Callable

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from iqadistill.figures.convergence import plot_convergence
from iqadistill.figures.duplicates import plot_duplicates
from iqadistill.figures.kept_patches import plot_kept_patches
from iqadistill.figures.noise_failure import plot_noise_failure
from iqadistill.figures.overlap import plot_overlap
from iqadistill.figures.selection_inputs import SelectionInputs
from iqadistill.images.decoding import read_image
from iqadistill.selection.ranking import create_selector
from iqadistill.selection.similarity import spectrum

Drawn = tuple[Figure, pd.DataFrame]
PICTURES = 3


def convergence(inputs: SelectionInputs) -> Drawn:
    """Traces of every residual selector, images of all cells together."""
    traces = {}
    for name, settings in inputs.selectors.items():
        rows = [inputs.trace(cell, name).assign(cell="/".join(cell)) for cell in inputs.cells]
        trace = pd.concat(rows, ignore_index=True)
        traces[settings["n_components"], settings["solver"]] = trace.assign(image_id=trace.cell + "/" + trace.image_id)
    return plot_convergence(traces)


def noise_failure(inputs: SelectionInputs) -> Drawn:
    """Spectra and residuals of clean, distorted and pure-noise pictures (a dataset without references or scores)."""
    (name, settings), *_ = inputs.selectors.items()
    spectra, residuals = {}, {}
    for cell in inputs.cells:
        images = inputs.images(cell).set_index("image_id")
        selected = inputs.selection(cell, name).groupby("image_id").residual
        for image, vectors in inputs.vectors(cell):
            group = _group(images.loc[image])
            spectra.setdefault(group, []).append(spectrum(vectors, metric=settings["metric"], gamma=settings["gamma"]))
            residuals.setdefault(group, []).append(selected.get_group(image).to_numpy())
    return plot_noise_failure(spectra, residuals)


def _group(image: pd.Series) -> str:
    if image.is_reference:
        return "clean"
    return "pure noise" if np.isnan(image.score) else "distorted"


def duplicates(inputs: SelectionInputs) -> Drawn:
    """The first image's patches given twice."""
    (_, settings), *_ = inputs.selectors.items()
    _, vectors = next(inputs.vectors(inputs.cells[0]))
    selector = create_selector(**settings).fit(np.vstack([vectors, vectors]))
    rank = np.argsort(selector.ranking_)
    n = len(vectors)
    return plot_duplicates(selector.residuals_[:n], selector.residuals_[n:], rank[:n], rank[n:])


def overlap(inputs: SelectionInputs) -> Drawn:
    """Choices of every selector on the images of all cells."""
    selections = {}
    for name in inputs.selectors:
        rows = [inputs.selection(cell, name).assign(cell="/".join(cell)) for cell in inputs.cells]
        selection = pd.concat(rows, ignore_index=True)
        selections[name] = selection.assign(image_id=selection.cell + "/" + selection.image_id)
    return plot_overlap(selections, inputs.keep)


def kept_patches(inputs: SelectionInputs) -> Drawn:
    """Kept and dropped patches on a few pictures of different content, in the first cell."""
    cell = inputs.cells[0]
    images = inputs.images(cell)
    shown = images[images.score.notna() & (images.status == "ok")].drop_duplicates("reference_id")
    shown = shown.iloc[np.linspace(0, len(shown) - 1, min(PICTURES, len(shown)), dtype=int)]
    patches = inputs.patches(cell)
    patches = patches[patches.image_id.isin(shown.image_id)]
    selections = {name: inputs.selection(cell, name) for name in itertools.islice(inputs.selectors, 3)}
    pictures = {image.image_id: read_image(image.path) for image in shown.itertuples()}
    return plot_kept_patches(pictures, patches, selections, inputs.keep)


PLOTS: dict[str, Callable[[SelectionInputs], Drawn]] = {
    "convergence": convergence,
    "noise_failure": noise_failure,
    "duplicates": duplicates,
    "overlap": overlap,
    "kept_patches": kept_patches,
}
