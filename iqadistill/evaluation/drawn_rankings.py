"""Selectors of a study among the students of random rankings that were trained beside them."""

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa

from iqadistill.evaluation.random_rankings import AmongRandom, compare_students_with_random
from iqadistill.evaluation.tested import TestedVariants
from iqadistill.table_schemas import SCHEMAS
from iqadistill.tables import as_table

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
        drawn = pd.concat(tables) if tables else pd.DataFrame(columns=SWEEP)
        self._drawn = dict(list(drawn.groupby(SWEEP, sort=False)))
        self._placed: dict[tuple[Any, ...], dict[str, AmongRandom]] = {}

    def place(self, variant: Mapping[str, Any], *, family: int = 1) -> AmongRandom | None:
        """A selector among the random rankings of its keep rate, see `compare_with_random`.

        Args:
            variant: The columns dataset, sampler, encoder, student, selector and keep of the selector's student.
            family: Number of comparisons that are decided together.

        Returns:
            Its place and its difference from their mean; None where the study drew no rankings, or the selector was not
            evaluated.
        """
        sweep = tuple(variant[name] for name in SWEEP)
        if sweep not in self._drawn:
            return None
        key = (*sweep, round(variant["keep"], 6), family)
        if key not in self._placed:
            self._placed[key] = self._place_all(variant, self._drawn[sweep], family)
        return self._placed[key].get(variant["selector"])

    def _place_all(self, variant: Mapping[str, Any], drawn: pd.DataFrame, family: int) -> dict[str, AmongRandom]:
        """All selectors at one keep rate by their names: the random rankings, which take the time, are ranked once."""
        drawn = drawn[np.isclose(drawn.keep, variant["keep"])]
        names = self._tested.selectors(variant)
        if drawn.empty or not names:
            return {}
        contents = self._tested.contents(variant["dataset"])
        students = {name: self._tested.of({**variant, "selector": name}) for name in names}
        return compare_students_with_random(students, drawn, contents, family=family)


def as_draws(predictions: pa.Table, draw: int) -> pa.Table:
    """Predictions of a student of one random ranking as a table "draws".

    Args:
        predictions: Table "predictions".
        draw: Number of the random ranking.
    """
    shared = predictions.select([name for name in SCHEMAS["draws"].names if name != "draw"])
    return as_table(shared.append_column("draw", pa.array([draw] * len(shared))), "draws")
