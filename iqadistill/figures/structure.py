"""How well residual selection reproduces the similarity structure of an image's patches."""

from collections.abc import Mapping
from itertools import islice
from typing import TYPE_CHECKING, cast

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from iqadistill.figures.drawing.dots import COLORS, MARKERS, dot
from iqadistill.figures.drawing.style import new_figure, shared_legend, styled
from iqadistill.figures.inputs import SelectionInputs
from iqadistill.figures.registry import FigureSpec
from iqadistill.selection.registry import SELECTORS
from iqadistill.selection.similarity import similarity_matrix

if TYPE_CHECKING:
    from iqadistill.selection.residual import ResidualSelector

FIGURE = FigureSpec(
    title="Similarity structure preserved",
    caption=(
        "Relative Frobenius errors of the similarity S of an image's patches: of its target Z Z^T (rank h, the best "
        "that a fit could reach), of the fit E W W^T E^T, and of E W as an estimate of Z. Median and quartiles over "
        "the first images of each dataset, at most 24; 0 is perfect, 1 is what W = 0 gives."
    ),
    alt="Dot chart of the relative errors of S and Z for every selector.",
    reads="selections",
    rates="none",
    needs=("n_components", "alpha", "beta", "metric", "gamma", "solver"),
    ranks=True,
)

IMAGES = 24
LABELS = {"target": "Z Zᵀ against S", "fit": "E W Wᵀ Eᵀ against S", "regression": "E W against Z"}


def draw(inputs: SelectionInputs) -> tuple[Figure, pd.DataFrame]:
    """Fit the first images of every embedding table with every selector of the experiment."""
    rows = []
    for table in inputs.tables:
        embeddings = dict(islice(inputs.read_embeddings(table), IMAGES))
        for name, settings in inputs.selectors.items():
            fitted = SELECTORS.create(settings).create().fit_many(list(embeddings.values()))
            for image, vectors, selector in zip(embeddings, embeddings.values(), fitted, strict=True):
                residual = cast("ResidualSelector", selector)  # no other selector has what `needs` names
                errors = structure_errors(vectors, residual.coef_, residual.target_, settings)
                rows.append({**table._asdict(), "selector": name, "image_id": image, **errors})
    return plot_structure(pd.DataFrame(rows))


def structure_errors(
    embeddings: np.ndarray, coefficients: np.ndarray, target: np.ndarray, settings: Mapping[str, str]
) -> dict[str, float]:
    """Relative errors of one image, by the names in `LABELS`.

    Args:
        embeddings: E (n, d).
        coefficients: W (d, h).
        target: Z (n, h).
        settings: Settings of the selector: metric, gamma and similarity.
    """
    E = np.asarray(embeddings, dtype=np.float64)
    S = similarity_matrix(E, *(settings[name] for name in ("metric", "gamma", "similarity")))
    fit = E @ coefficients
    norm = np.linalg.norm(S)
    return {
        "target": float(np.linalg.norm(S - target @ target.T) / norm),
        "fit": float(np.linalg.norm(S - fit @ fit.T) / norm),
        "regression": float(np.linalg.norm(fit - target) / np.linalg.norm(target)),
    }


@styled
def plot_structure(errors: pd.DataFrame) -> tuple[Figure, pd.DataFrame]:
    """Draw the errors of every selector, one panel per dataset, sampler and encoder.

    Args:
        errors: One row per image and selector with dataset, sampler, encoder, selector and the columns of `LABELS`.

    Returns:
        The figure, and a table with one row per panel, selector and quantity: median and quartiles (`low`, `high`) over
        the `images`.
    """
    panel = ["dataset", "sampler", "encoder"]
    long = errors.melt([*panel, "selector", "image_id"], list(LABELS), var_name="quantity", value_name="error")
    table = (
        long.groupby([*panel, "selector", "quantity"], sort=False)
        .error.agg(
            median="median",
            low=lambda values: values.quantile(0.25),
            high=lambda values: values.quantile(0.75),
            images="size",
        )
        .reset_index()
    )
    shown = list(table[panel].drop_duplicates().itertuples(index=False, name=None))
    names = list(dict.fromkeys(table.selector))
    figure = new_figure(6.6, 0.7 + (0.5 + 0.32 * len(names)) * len(shown))
    for axes, values in zip(figure.subplots(len(shown), 1, squeeze=False, sharex=True)[:, 0], shown, strict=True):
        rows = table[(table[panel] == list(values)).all(axis=1)]
        for shift, (quantity, label) in zip((-0.2, 0.0, 0.2), LABELS.items(), strict=True):
            style = list(LABELS).index(quantity)
            for _, row in rows[rows.quantity == quantity].iterrows():
                position = names.index(row.selector)
                name = label if position == names.index(rows.selector.iloc[0]) else ""
                dot(axes, position + shift, row, COLORS[style], MARKERS[style], name, upright=False, level="median")
        axes.set_yticks(range(len(names)), names)
        axes.set_ylim(len(names) - 0.5, -0.5)
        axes.set_xlim(left=0)
        axes.grid(axis="x")
        dataset, sampler, encoder = values
        axes.set_title(f"{dataset}, {sampler}, {encoder}", loc="left", fontweight="bold")
    axes.set_xlabel("relative error (Frobenius norm)")
    shared_legend(figure, columns=3)
    return figure, table
