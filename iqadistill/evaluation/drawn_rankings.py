"""Selectors of a study among the students of random rankings that were trained beside them."""

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
import pyarrow as pa

from iqadistill.evaluation.jackknife import SplitScores
from iqadistill.evaluation.random_rankings import AmongRandom, compare_with_random
from iqadistill.evaluation.tested import TestedVariants

TEST = "random_rankings"  # name in the tables "comparisons" and "verdicts"
SWEEP = ["dataset", "sampler", "encoder", "student"]


class DrawnRankings:
    """Students of random rankings, among which the selectors of a study are placed.

    Args:
        tested: Test images as the variants of the study score them.
        draws: Tables "draws" of the students of random rankings.
    """

    def __init__(self, tested: TestedVariants, draws: Iterable[pa.Table]):
        self._tested = tested
        tables = [table.to_pandas() for table in draws]
        self._drawn = {tuple(table.iloc[0][SWEEP]): table for table in tables}

    def place(self, variant: Mapping[str, Any]) -> AmongRandom | None:
        """A selector among the random rankings of its keep rate, see `compare_with_random`.

        Args:
            variant: The columns dataset, sampler, encoder, student, selector and keep of the selector's student.

        Returns:
            Its place and its difference from their mean; None where the study drew no rankings, or the selector was not
            evaluated.
        """
        sweep = tuple(variant[name] for name in SWEEP)
        if sweep not in self._drawn:
            return None
        rows, drawn = self._tested.of(variant), self._drawn[sweep]
        drawn = drawn[np.isclose(drawn.keep, variant["keep"])]
        if rows.empty or drawn.empty:
            return None
        by_split, codes = dict(list(drawn.groupby("split"))), self._tested.contents(variant["dataset"])
        tests = []
        for split, of_split in rows.groupby("split"):
            own = of_split.set_index("image_id")
            random = by_split[split].pivot(index="draw", columns="image_id", values="prediction")[own.index]
            stacked = np.vstack([own.prediction.to_numpy()[None], random.to_numpy()])
            tests.append(SplitScores(stacked, own.score.to_numpy(), codes[own.index].to_numpy()))
        return compare_with_random(tests)
