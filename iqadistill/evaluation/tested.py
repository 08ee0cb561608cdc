"""Test images of random splits as the variants of a study score them."""

import functools
from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from iqadistill.evaluation.contents import contents_of
from iqadistill.evaluation.jackknife import SplitScores, content_codes
from iqadistill.evaluation.metrics import with_roles
from iqadistill.evaluation.random_splits import over_random_splits

VARIANT = ["dataset", "sampler", "encoder", "selector", "keep", "student"]


class TestedVariants:
    """Test images as the variants score them that are tested on the dataset of their training.

    Args:
        predictions: Table "predictions".
        images: Table "images" of each training dataset by its name.
        splits: Table "splits" of each training dataset by its name.
        official: Number of the official split of each training dataset that has one; it takes part in nothing.
    """

    __test__ = False  # no test case of pytest

    def __init__(
        self,
        predictions: pa.Table,
        images: Mapping[str, pa.Table],
        splits: Mapping[str, pa.Table],
        official: Mapping[str, int],
    ):
        self._predictions, self._images, self._splits, self._official = predictions, images, splits, official

    def of(self, variant: Mapping[str, Any]) -> pd.DataFrame:
        """Rows of table "predictions" of a variant's test images; empty if it was not evaluated.

        Args:
            variant: The columns dataset, sampler, encoder, selector, keep and student.
        """
        place = self._places.get(_key(variant), np.array([], dtype=np.int64))
        rows = over_random_splits(self._predictions.take(place).to_pandas(), self._official)
        return rows if rows.empty else with_roles(rows, self._splits).query("role == 'test'")

    def selectors(self, variant: Mapping[str, Any]) -> list[str]:
        """Selectors with which a variant was evaluated that differs from the given one in nothing else."""
        place, key = VARIANT.index("selector"), _key(variant)
        return [one[place] for one in self._places if one == (*key[:place], one[place], *key[place + 1 :])]

    @functools.cached_property
    def _places(self) -> dict[tuple[Any, ...], np.ndarray]:
        """Rows of each variant in the predictions on the dataset of its training; looked up once, as they are many."""
        at_home = pc.equal(self._predictions["dataset"], self._predictions["train_dataset"])
        own = np.flatnonzero(pc.fill_null(at_home, False).to_numpy())
        frame = self._predictions.select(VARIANT).take(own).to_pandas(strings_to_categorical=True)
        groups = frame.groupby(VARIANT, sort=False, observed=True).indices
        return {_key(dict(zip(VARIANT, names, strict=True))): own[rows] for names, rows in groups.items()}

    def contents(self, dataset: str) -> dict[str, str]:
        """Content of each image of a dataset by its name."""
        return contents_of(self._images, dataset)

    def pair(self, first: Mapping[str, Any], second: Mapping[str, Any]) -> dict[int, SplitScores]:
        """Test images of the splits that two variants share, by the number of the split; those scored by both."""
        codes, columns = content_codes(self.contents(first["dataset"])), ["split", "image_id"]
        both = self.of(first).merge(self.of(second)[[*columns, "prediction"]], on=columns, suffixes=("", "_second"))
        return {
            int(split): SplitScores(
                rows[["prediction", "prediction_second"]].to_numpy().T,
                rows.score.to_numpy(),
                codes[rows.image_id].to_numpy(),
            )
            for split, rows in both.groupby("split")
        }


def _key(variant: Mapping[str, Any]) -> tuple[Any, ...]:
    """A variant as a key; keep rates such as 1/3 are told apart to six decimals."""
    return tuple(round(variant[name], 6) if name == "keep" else variant[name] for name in VARIANT)
