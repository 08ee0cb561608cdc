"""How many patches are enough to score images with a trained result, as its study decided."""

from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from iqadistill.errors import InputError
from iqadistill.scoring.result_files import find_weights
from iqadistill.scoring.results import TrainedResult
from iqadistill.tables import ALL, AUTO, read_table

MLP_FOLDERS = 4  # below the study's: dataset, sampler, encoder, and the file


@dataclass(frozen=True)
class DecidedPatches:
    """What the figure `budget` of a study decided about one of its students.

    Attributes:
        count: The smallest number of placed patches that is equivalent to all; all of them where none was shown to be.
        of: Number of all patches.
        margin: Difference in SRCC that was declared not to matter.
        srcc: SRCC on test images, of numbers decided on the training images of their splits.
        srcc_of_all: SRCC on test images from all patches.
    """

    count: int
    of: int
    margin: float
    srcc: float
    srcc_of_all: float

    @property
    def number(self) -> int | None:
        """Number of patches to look at; None for all of an image's, which may be more than images of the study had."""
        return self.count if self.count < self.of else None

    @property
    def sentence(self) -> str:
        """What was decided, for the reader of scores."""
        measured = (
            f"SRCC on test images: {self.srcc:.3f} from a number decided like this, {self.srcc_of_all:.3f} from all"
        )
        if self.number is None:
            return f"all patches: no smaller number was equivalent within {self.margin:g} SRCC ({measured})"
        return f"{self.count} of {self.of} patches: equivalent to all within {self.margin:g} SRCC ({measured})"


def decided_patches(model: str | Path, result: TrainedResult) -> DecidedPatches:
    """The number of patches that a result's study found to be enough.

    Args:
        model: Where the result was loaded from, within the results of its study.
        result: The result.

    Raises:
        InputError: The study has no such experiment, or it was on another student than this one.
    """
    variant = result.variant
    if variant["selector"] != ALL:
        raise InputError(
            f"--patches auto: was decided for students of all patches, not of those of {variant['selector']}; leave"
            " --selector and --keep out, or give a number."
        )
    key = {"dataset": "train_dataset", "sampler": "sampler", "encoder": "encoder", "student": "student"}
    for file in _budget_tables(find_weights(Path(model))[0]):
        table = read_table(file, "budgets").to_pandas()
        rows = table[[all(row[name] == variant[other] for name, other in key.items()) for _, row in table.iterrows()]]
        if len(rows):
            return _decided(rows)
    raise InputError(
        f"--patches auto: the study of {model} has no result that says how many patches {variant['student']} needs; add"
        " {figure: budget} to its experiments, which an MLP can have, and run it again, or give a number."
    )


def _budget_tables(weights: Path) -> list[Path]:
    """Tables "budgets" of the study that weights belong to, by their place; none for weights elsewhere."""
    parts = weights.resolve().parts
    if "train_mlps" not in parts:
        return []
    stage = len(parts) - 1 - parts[::-1].index("train_mlps")
    folder = Path(*parts[:stage], "studies", *parts[stage + 1 : -MLP_FOLDERS], "budgets")
    return sorted(folder.glob("*.parquet"))


def _decided(rows: pd.DataFrame) -> DecidedPatches:
    auto, everything = (rows[rows.selector == name].iloc[0] for name in (AUTO, ALL))
    return DecidedPatches(
        int(auto.patches), int(everything.patches), float(auto.margin), float(auto.srcc), float(everything.srcc)
    )
