"""Trainings of a variant that were all tested on the same images: intervals over the contents of these images."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from iqadistill.errors import InputError
from iqadistill.evaluation.bootstrap import interval_over_contents, resampled_metric
from iqadistill.evaluation.levels import Level, from_scale, to_scale
from iqadistill.evaluation.metrics import HeldOut, held_out, metric_values
from iqadistill.evaluation.paired import PairedTest
from iqadistill.evaluation.random_splits import over_random_splits
from iqadistill.table_schemas import VARIANT_OVER_SPLITS

TEST = "contents"  # name in table "comparisons"
MAPPED = ("plcc", "rmse")  # metrics of predictions after the logistic


@dataclass(frozen=True)
class CommonTest:
    """Tests of S trainings of one variant on the same N images.

    Attributes:
        splits: Number of each training's split.
        raw: Predictions (S, N).
        mapped: Predictions (S, N) after the logistic of each training; None where one of them has no logistic.
        scores: Scores (N,).
        contents: Content (N,) of each image, as a number from 0.
        values: Each metric (S,) on these images.
    """

    splits: tuple[int, ...]
    raw: np.ndarray
    mapped: np.ndarray | None
    scores: np.ndarray
    contents: np.ndarray
    values: Mapping[str, np.ndarray]

    @classmethod
    def of(cls, tests: Sequence[HeldOut], contents: Mapping[str, str]) -> "CommonTest":
        """Tests of the trainings on each split, in the order of the splits.

        Args:
            tests: The tests, one for each split.
            contents: Content of each image by its name.

        Raises:
            InputError: The trainings were tested on different images, or the content of an image is not known.
        """
        tests = sorted(tests, key=lambda test: test.variant["split"])
        orders = [np.argsort(test.images) for test in tests]
        images = tests[0].images[orders[0]]
        if not all(np.array_equal(images, test.images[order]) for test, order in zip(tests, orders, strict=True)):
            raise InputError(
                f"predictions: {tests[0].variant['student']} trained on {tests[0].variant['train_dataset']} was not "
                f"tested on the same images of {tests[0].dataset} in every split; predict them again."
            )
        named = pd.Series(images).map(contents)
        if named.isna().any():
            raise InputError(
                f"images of {tests[0].dataset}: no content of {images[named.isna().to_numpy()][0]!r}, which is "
                "predicted; index the dataset again."
            )
        raw = np.stack([test.raw[order] for test, order in zip(tests, orders, strict=True)])
        mapped = [test.mapped[order] for test, order in zip(tests, orders, strict=True) if test.mapped is not None]
        values = pd.DataFrame([metric_values(test) for test in tests])
        return cls(
            splits=tuple(int(test.variant["split"]) for test in tests),
            raw=raw,
            mapped=np.stack(mapped) if len(mapped) == len(tests) else None,
            scores=tests[0].scores[orders[0]],
            contents=pd.factorize(named, sort=True)[0],
            values={name: values[name].to_numpy() for name in values},
        )

    @property
    def content_count(self) -> int:
        """Number of contents of the images."""
        return int(self.contents.max()) + 1

    def resampled(self, metric: str, *, draws: int, seed: int) -> np.ndarray | None:
        """The metric (draws, S) on resampled contents; None where it is undefined on the images as they are."""
        predictions = self.mapped if metric in MAPPED else self.raw
        if predictions is None or np.isnan(self.values[metric]).any():
            return None
        return resampled_metric(metric, predictions, self.scores, self.contents, draws=draws, seed=seed)

    def level(self, metric: str, *, draws: int, seed: int) -> Level:
        """Mean of a metric over the trainings, with its interval over the contents.

        The interval holds for these trainings; one over trainings would need trainings that share no images.

        Args:
            metric: Name in `METRICS`.
            draws: Number of draws of contents.
            seed: Seed of the draws.

        Returns:
            The mean and its interval; everything is NaN if the metric is undefined for any training.
        """
        resampled = self.resampled(metric, draws=draws, seed=seed)
        if resampled is None:
            return Level(np.nan)
        mean = float(to_scale(metric, self.values[metric]).mean())
        ends = interval_over_contents(mean, to_scale(metric, resampled).mean(1), self.content_count)
        mean, low, high = (float(end) for end in from_scale(metric, [mean, *ends]))
        return Level(mean, low, high)


class CrossDatasetTests:
    """Tests of all variants on datasets that they were not trained on.

    Args:
        predictions: Table "predictions"; the rows of other variants are left aside.
        splits: Table "splits" of each training dataset by its name.
        images: Table "images" of each tested dataset by its name, for the contents.
        official: Number of the official split of each training dataset that has one; see `over_random_splits`.
        logistic: Number of parameters of the logistic, as for the metrics.
        draws: Number of draws of contents.
        seed: Seed of the draws.
    """

    def __init__(
        self,
        predictions: pa.Table,
        splits: Mapping[str, pa.Table],
        images: Mapping[str, pa.Table],
        official: Mapping[str, int] | None = None,
        *,
        logistic: int = 4,
        draws: int = 1000,
        seed: int = 0,
    ):
        self.draws, self.seed = draws, seed
        by_variant: dict[tuple, list[HeldOut]] = {}
        for test in held_out(_of_cross_dataset_variants(predictions, official or {}), splits, logistic):
            if test.dataset != test.variant["train_dataset"]:
                key = (test.dataset, *(test.variant[name] for name in VARIANT_OVER_SPLITS))
                by_variant.setdefault(key, []).append(test)
        contents = {name: contents_of(images, name) for name in {key[0] for key in by_variant}}
        self.tests = {key: CommonTest.of(tests, contents[key[0]]) for key, tests in by_variant.items()}
        self._resampled: dict[tuple[tuple, str], np.ndarray | None] = {}

    def level(self, variant: tuple, metric: str) -> Level:
        """Mean of a metric over the trainings of a variant, with its interval over the contents.

        Args:
            variant: Tested dataset and variant columns over splits.
            metric: Name in `METRICS`.
        """
        return self.tests[variant].level(metric, draws=self.draws, seed=self.seed)

    def difference(self, first: tuple, second: tuple, metric: str) -> PairedTest:
        """Mean difference of two variants over the splits that both have, with its interval over the contents.

        There is no p value: trainings on splits of one dataset share most of their images, and no correction for that
        is known to hold where they also share all test images.

        Args:
            first: Tested dataset and variant columns over splits of the first variant.
            second: Those of the second, which was tested on the same dataset.
            metric: Name of a correlation in `METRICS`.

        Raises:
            InputError: Both were tested on different images.
        """
        sides = self.tests[first], self.tests[second]
        if not all(np.array_equal(getattr(sides[0], name), getattr(sides[1], name)) for name in ("scores", "contents")):
            raise InputError(
                f"predictions: {first} and {second} were not tested on the same images; predict them again."
            )
        shared = sorted(set(sides[0].splits) & set(sides[1].splits))
        places = [[side.splits.index(split) for split in shared] for side in sides]
        values = [side.values[metric][place] for side, place in zip(sides, places, strict=True)]
        delta = float((values[0] - values[1]).mean())
        resampled = [self._resample(variant, metric) for variant in (first, second)]
        if resampled[0] is None or resampled[1] is None:
            return PairedTest(delta, np.nan, np.nan, np.nan, TEST)
        differences = (resampled[0][:, places[0]] - resampled[1][:, places[1]]).mean(1)
        low, high = interval_over_contents(delta, differences, sides[0].content_count)
        return PairedTest(delta, low, high, np.nan, TEST)

    def _resample(self, variant: tuple, metric: str) -> np.ndarray | None:
        if (variant, metric) not in self._resampled:
            drawn = self.tests[variant].resampled(metric, draws=self.draws, seed=self.seed)
            self._resampled[variant, metric] = drawn
        return self._resampled[variant, metric]


def contents_of(images: Mapping[str, pa.Table], dataset: str) -> dict[str, str]:
    """Content of each image of a dataset by its name.

    Args:
        images: Table "images" of each dataset by its name.
        dataset: Name of the dataset.

    Raises:
        InputError: The table of the dataset is missing.
    """
    if dataset not in images:
        raise InputError(f"images: no table for the tested dataset {dataset!r}; give it.")
    table = images[dataset]
    return dict(zip(table["image_id"].to_pylist(), table["reference_id"].to_pylist(), strict=True))


def _of_cross_dataset_variants(predictions: pa.Table, official: Mapping[str, int]) -> pa.Table:
    """Predictions of the trainings that were tested on another dataset, those on their own dataset among them."""
    key = [*VARIANT_OVER_SPLITS, "split"]
    elsewhere = predictions.filter(pc.not_equal(predictions["dataset"], predictions["train_dataset"]))
    trainings = over_random_splits(elsewhere.select(key).to_pandas().drop_duplicates(), official)
    keys = pa.Table.from_pandas(trainings, preserve_index=False)
    keys = keys.cast(pa.schema([predictions.schema.field(name) for name in keys.column_names]))
    return predictions.join(keys, key, join_type="left semi", use_threads=False)
