"""Test images of random splits as the variants of a study score them."""

from collections.abc import Mapping, Sequence
from typing import Any

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
        near = pc.less(pc.abs(pc.subtract(self._predictions["keep"], variant["keep"])), 1e-6)
        for name in ["dataset", "train_dataset", "sampler", "encoder", "selector", "student"]:
            value = variant[name.removeprefix("train_")]
            near = pc.and_(near, pc.equal(self._predictions[name], value))
        rows = over_random_splits(self._predictions.filter(near).to_pandas(), self._official)
        return rows if rows.empty else with_roles(rows, self._splits).query("role == 'test'")

    def contents(self, dataset: str) -> dict[str, str]:
        """Content of each image of a dataset by its name."""
        return contents_of(self._images, dataset)

    def pair(self, first: Mapping[str, Any], second: Mapping[str, Any]) -> Sequence[SplitScores]:
        """Test images of the splits that two variants share, in order; those scored by both."""
        codes, columns = content_codes(self.contents(first["dataset"])), ["split", "image_id"]
        both = self.of(first).merge(self.of(second)[[*columns, "prediction"]], on=columns, suffixes=("", "_second"))
        return [
            SplitScores(
                rows[["prediction", "prediction_second"]].to_numpy().T,
                rows.score.to_numpy(),
                codes[rows.image_id].to_numpy(),
            )
            for _, rows in both.groupby("split")
        ]
