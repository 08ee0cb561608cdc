import numpy as np
import pandas as pd
import pytest

from iqadistill.models.students.mlp import MlpSettings
from iqadistill.tables import as_table, embeddings_table
from iqadistill.training import train_mlps

SMALL = {"hidden": [8], "dropout": [0.25], "epochs": 3, "batch_images": 4, "lr": 1e-2}


class ToyStudy:
    """Tables of a small study whose embeddings depend linearly on quality; selectors `one` and `two` rank at random."""

    def __init__(self, images=20, most=6, width=10, splits=2, ragged=True, val=0):
        rng = np.random.default_rng(7)
        names = [f"image{i:02d}" for i in range(images)]
        quality = rng.random(images)
        counts = rng.integers(2, most + 1, images) if ragged else np.full(images, most)
        owner = np.repeat(np.arange(images), counts)
        vectors = (rng.normal(size=(len(owner), width)) + 3 * quality[owner, None]).astype(np.float32)
        image_id = np.array(names)[owner]
        roles = ["test"] * 4 + ["val"] * val + ["train"] * (images - 4 - val)
        drawn = [pd.DataFrame({"split": s, "image_id": names, "role": rng.permutation(roles)}) for s in range(splits)]
        columns = {"dataset": "toy", "image_id": names, "status": "ok", "is_reference": False}
        self.embeddings = embeddings_table(np.arange(len(owner)), image_id.tolist(), vectors)
        self.images = as_table(pd.DataFrame({**columns, "quality": quality, "score": quality}), "images")
        self.splits = as_table(pd.concat(drawn), "splits")
        self.selections = {}
        for name in ("one", "two"):
            rank = np.concatenate([rng.permutation(count) for count in counts])
            rows = {"patch_id": np.arange(len(owner)), "image_id": image_id, "rank": rank}
            self.selections[name] = as_table(pd.DataFrame(rows), "selection")

    def train(self, rates, **settings):
        """Train MLPs for a few epochs; settings are those of MlpSettings and arguments of train_mlps."""
        arguments = {name: settings.pop(name) for name in ("seed", "device", "memory_gb") if name in settings}
        mlp = MlpSettings(**SMALL | settings)
        return train_mlps(self.embeddings, self.images, self.splits, self.selections, rates, mlp, **arguments)

    @property
    def settings(self):
        """Settings of the MLPs that `train` trains by default."""
        return MlpSettings(**SMALL)


@pytest.fixture
def toy_study():
    """The class ToyStudy, for tests that choose its size."""
    return ToyStudy
