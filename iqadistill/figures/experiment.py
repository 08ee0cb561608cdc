"""An experiment as its figure receives it, with all defaults and grids of the study resolved."""

from typing import Any, NamedTuple

from pydantic import Field

from iqadistill.errors import InputError
from iqadistill.figures.registry import FIGURES
from iqadistill.settings import Settings


class EmbeddingTable(NamedTuple):
    """Names of the dataset, sampler and encoder behind an embedding table."""

    dataset: str
    sampler: str
    encoder: str


class Experiment(Settings):
    """One experiment of a study; the job that draws it receives it as JSON."""

    name: str = Field(description="Name of the files of the figure and of its table.")
    figure: str = Field(description="Name of the figure.")
    tables: tuple[EmbeddingTable, ...] = Field(description="Dataset, sampler and encoder of each embedding table.")
    selectors: dict[str, dict[str, Any]] = Field(description="Settings of each selector by its name.")
    keep: tuple[float, ...] = Field(description="Keep rates.")
    students: tuple[str, ...] = Field(description="Names of the students.")
    tested_on: tuple[str, ...] = Field(description="Test datasets of a cross-dataset experiment.")
    budgets: tuple[int, ...] = Field((), description="Numbers of training images, of a figure of chosen ones.")
    choosers: tuple[str, ...] = Field((), description="Names of the choosers, of a figure of chosen training images.")

    @property
    def datasets(self) -> tuple[str, ...]:
        """Names of the datasets, without repeats."""
        return tuple(dict.fromkeys(table.dataset for table in self.tables))

    @property
    def keep_rate(self) -> float:
        """The only keep rate below 1.

        Raises:
            InputError: The experiment has none or several, so the figure would be empty or drop some without notice.
        """
        rates = [rate for rate in self.keep if rate < 1]
        if len(rates) != 1:
            raise InputError(f"experiment {self.name}: keep is {list(self.keep)}; give exactly one rate below 1.")
        return rates[0]

    @property
    def caption_settings(self) -> dict[str, float]:
        """Values for the caption: the keep rate of a figure that shows one."""
        return {"keep_rate": self.keep_rate} if FIGURES.spec(self.figure).rates == "one" else {}
