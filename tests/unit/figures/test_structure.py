import numpy as np
import pandas as pd
import pytest

from iqadistill.figures.structure import LABELS, plot_structure, structure_errors
from iqadistill.selection import ResidualSelector
from iqadistill.selection.similarity import similarity_matrix

SETTINGS = {"metric": "euclidean", "gamma": "scale_free", "similarity": "rbf"}


@pytest.fixture
def embeddings():
    return np.random.default_rng(0).normal(size=(12, 20))


def test_errors_are_those_of_the_best_rank_and_of_the_fit(embeddings):
    S = similarity_matrix(embeddings, "euclidean", "scale_free")
    values, vectors = np.linalg.eigh(S)
    Z = vectors[:, -3:] * np.sqrt(values[-3:])
    W = np.linalg.pinv(embeddings) @ Z  # d > n: reproduces Z exactly
    errors = structure_errors(embeddings, W, Z, SETTINGS)
    best = np.linalg.norm(values[:-3]) / np.linalg.norm(values)
    assert errors["target"] == pytest.approx(best)
    assert errors["fit"] == pytest.approx(best)
    assert errors["regression"] == pytest.approx(0, abs=1e-9)


def test_fit_without_coefficients_explains_nothing(embeddings):
    selector = ResidualSelector(n_components=3, alpha=1e3, gamma="scale_free").fit(embeddings)
    errors = structure_errors(embeddings, selector.coef_, selector.target_, SETTINGS)
    assert (errors["fit"], errors["regression"]) == pytest.approx((1, 1))


def test_table_has_median_and_quartiles_over_images():
    rows = [
        {"dataset": "photos", "sampler": "crops", "encoder": "lite0", "selector": name, "image_id": str(image)}
        | {"target": 0.1, "fit": 0.2 + image / 10, "regression": 0.5}
        for name in ("h5", "h10")
        for image in range(5)
    ]
    figure, table = plot_structure(pd.DataFrame(rows))
    fit = table[(table.selector == "h5") & (table.quantity == "fit")].iloc[0]
    assert (fit["median"], fit.low, fit.high, fit.images) == pytest.approx((0.4, 0.3, 0.5, 5))
    assert len(table) == 2 * len(LABELS)
    assert [tick.get_text() for tick in figure.axes[0].get_yticklabels()] == ["h5", "h10"]
