"""Time to score an image from some of its patches, the choice of them included, measured on a few images."""

import time
from collections.abc import Callable, Mapping

import numpy as np
import pandas as pd
import pyarrow as pa

from iqadistill.selection.base import Selector
from iqadistill.selection.ranking import rank_patches
from iqadistill.tables import ALL, AUTO, LEARNED, RANDOM, as_table

MEASURED = 8  # images


def time_budgets(
    images: pa.Table,
    patches: pa.Table,
    embeddings: pa.Table,
    look: Callable[[pa.Table, pa.Table], object],
    selectors: Mapping[str, tuple[Selector, bool]],
    *,
    names: Mapping[str, str],
    seed: int,
) -> pa.Table:
    """Measure what looking at patches takes, and what choosing them does.

    An image takes `fixed` + `per_patch` x number of patches milliseconds. Both are read off the median time of an
    image, decoding included, for its first patch and for all of them. A selector adds its own time. One that ranks
    embeddings needs those of all patches first, so that the number that count changes nothing.

    Args:
        images: Table "images".
        patches: Table "patches".
        embeddings: Table "embeddings".
        look: Reads and scores the patches of an image, from its rows of tables "images" and "patches".
        selectors: Selectors by name, each with whether it needs no embeddings.
        names: Values of the columns dataset, sampler, encoder and student.
        seed: Seed of the study.

    Returns:
        Table "budget_times", with rows for `random`, `learned`, `auto` and `all` as well.
    """
    available = embeddings["image_id"].unique().to_pylist()
    shown = available[:: max(1, len(available) // MEASURED)][:MEASURED]
    parts = [[_of_image(table, name) for table in (images, patches, embeddings)] for name in shown]
    image, placed, _ = parts[0]
    look(image, placed)  # the first pass loads and plans what later ones find ready
    first = [_milliseconds(look, image, placed.slice(0, 1)) for image, placed, _ in parts]
    whole = [_milliseconds(look, image, placed) for image, placed, _ in parts]
    count = float(np.median([len(placed) for _, placed, _ in parts]))
    everything = float(np.median(whole))
    per_patch = max(0.0, (everything - float(np.median(first))) / max(1.0, count - 1))
    fixed = max(0.0, everything - per_patch * count)
    rows = [{"selector": name, "fixed": fixed, "per_patch": per_patch} for name in (RANDOM, AUTO, ALL)]
    rows.append({"selector": LEARNED, "fixed": everything, "per_patch": 0.0})
    for name, (selector, from_places) in selectors.items():
        taken = [_milliseconds(_rank, part, selector, seed) for part in (parts[0], *parts)]
        choosing = float(np.median(taken[1:]))
        base = {"fixed": fixed, "per_patch": per_patch} if from_places else {"fixed": everything, "per_patch": 0.0}
        rows.append({"selector": name, **base, "fixed": base["fixed"] + choosing})
    return as_table(pd.DataFrame(rows).assign(**names, images=len(shown)), "budget_times")


def _of_image(table: pa.Table, name: str) -> pa.Table:
    return table.filter(pa.array(np.array(table["image_id"].to_pylist(), dtype=object) == name))


def _rank(part: list[pa.Table], selector: Selector, seed: int) -> None:
    image, placed, embedded = part
    rank_patches(embedded, selector, seed=seed, patches=placed, images=image)


def _milliseconds(work: Callable[..., object], *arguments: object) -> float:
    start = time.perf_counter()
    work(*arguments)
    return 1000 * (time.perf_counter() - start)
