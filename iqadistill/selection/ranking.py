"""Selection table of an embeddings table: the patches of every image ranked by one selector."""

import hashlib

import numpy as np
import pyarrow as pa

from iqadistill.selection.base import Selector
from iqadistill.tables import as_table


def rank_patches(
    embeddings: pa.Table,
    selector: Selector,
    *,
    seed: int | str,
    patches: pa.Table | None = None,
    images: pa.Table | None = None,
) -> tuple[pa.Table, pa.Table]:
    """Rank the patches of every image of an embeddings table.

    Random choices depend on (seed, image_id) only, not on the other images or their order.

    Args:
        embeddings: Table "embeddings"; the rows of an image need not be consecutive.
        selector: Selector that ranks the patches.
        seed: Seed of the study, or that of a random ranking of it.
        patches: Table "patches", for selectors that need it.
        images: Table "images", likewise.

    Returns:
        Tables "selection" (rows in the order of `embeddings`) and "selection_trace" (no rows for selectors that do not
        iterate; iterations count from 1; the published solver knows its gap after the last one only).

    Raises:
        InputError: The embeddings of an image are not finite or too few (the message names the image), or a table that
            the selector needs is missing.
    """
    names, members = rows_by_image(embeddings)
    vectors = selector.vectors(embeddings, patches, images)
    matrices = [selector.check(vectors[rows], f"image {name}") for name, rows in zip(names, members, strict=True)]
    fitted = selector.fit_many(matrices, [image_seed(seed, name) for name in names])

    rank, residual = np.empty(len(embeddings), dtype=np.int32), np.empty(len(embeddings))
    trace: dict[str, list] = {"image_id": [], "iteration": [], "objective": [], "gap": []}
    for name, rows, one in zip(names, members, fitted, strict=True):
        rank[rows[one.ranking_]] = np.arange(len(rows))
        residual[rows] = one.residuals_
        objective = getattr(one, "objective_", [])
        trace["image_id"] += [str(name)] * len(objective)
        trace["iteration"] += range(1, len(objective) + 1)
        trace["objective"] += objective
        if objective:
            trace["gap"] += one.gaps_ or [None] * (len(objective) - 1) + [one.duality_gap_]
    selection = pa.table(
        {
            "patch_id": embeddings["patch_id"],
            "image_id": embeddings["image_id"],
            "residual": pa.array(residual, from_pandas=True),  # NaN of a selector without residuals becomes null
            "rank": rank,
        }
    )
    return as_table(selection, "selection"), as_table(pa.table(trace), "selection_trace")


def rows_by_image(patches: pa.Table) -> tuple[np.ndarray, list[np.ndarray]]:
    """Names of the images of a table with a column `image_id`, sorted, and the rows of each in the table's order."""
    images, group = np.unique(np.array(patches["image_id"].to_pylist(), dtype=str), return_inverse=True)
    order = np.argsort(group, kind="stable")
    return images, np.split(order, np.flatnonzero(np.diff(group[order])) + 1) if len(order) else []


def image_seed(*keys: int | str) -> int:
    """Seed of the random choices on an image: a function of the keys, which name the image and what is drawn."""
    return int.from_bytes(hashlib.sha256("/".join(map(str, keys)).encode()).digest()[:8])
