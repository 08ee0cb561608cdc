"""Time to score an image from some of its patches."""

from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from iqadistill.evaluation.budget_times import time_budgets
from iqadistill.selection import SELECTORS, rank_patches
from iqadistill.table_schemas import SCHEMAS
from iqadistill.tables import as_table, embeddings_table

PATCHES = 6
NAMES = {"dataset": "toy", "sampler": "grid", "encoder": "tiny", "student": "mlp"}


def test_time_is_read_off_one_patch_and_all(monkeypatch):
    clock = [0.0]

    def rank(embeddings, selector, **settings):
        clock[0] += 0.003
        return rank_patches(embeddings, selector, **settings)

    monkeypatch.setattr("iqadistill.evaluation.budget_times.time", SimpleNamespace(perf_counter=lambda: clock[0]))
    monkeypatch.setattr("iqadistill.evaluation.budget_times.rank_patches", rank)
    ids = [f"{number}.png" for number in range(3)]
    facts = {"image_id": ids, "width": 100, "height": 50, "status": "ok"}
    rows = pd.DataFrame({"patch_id": range(3 * PATCHES), "image_id": np.repeat(ids, PATCHES), "y": 0, "size": 10})
    patches = rows.assign(x=np.tile(np.arange(PATCHES), 3))
    vectors = np.random.default_rng(0).normal(size=(len(rows), 4)).astype(np.float32)
    looked = []

    def look(image, placed):
        looked.append((image["image_id"].to_pylist(), len(placed)))
        clock[0] += 0.01 + 0.004 * len(placed)

    table = time_budgets(
        as_table(pd.DataFrame(facts), "images"),
        as_table(patches, "patches"),
        embeddings_table(rows.patch_id.to_numpy(), rows.image_id.tolist(), vectors),
        look,
        {"position": (SELECTORS["position"]().create(), True), "facility": (SELECTORS["facility"]().create(), False)},
        names=NAMES,
        seed=0,
    )
    assert table.schema == SCHEMAS["budget_times"] and table["images"].unique().to_pylist() == [3]
    assert {count for _, count in looked} == {1, PATCHES} and all(len(image) == 1 for image, _ in looked)
    times = table.to_pandas().set_index("selector")
    for name, fixed, per_patch in [
        ("random", 10, 4),
        ("position", 13, 4),
        ("learned", 10 + 4 * PATCHES, 0),
        ("facility", 13 + 4 * PATCHES, 0),
    ]:
        assert times.fixed[name] == pytest.approx(fixed) and times.per_patch[name] == pytest.approx(per_patch)
