"""An experiment as its figure takes it: every default and grid of the study written out."""

from typing import Any, NamedTuple

from pydantic import Field

from iqadistill.settings import Settings


class EmbeddingTable(NamedTuple):
    """Names of what an embedding table is made of."""

    dataset: str
    sampler: str
    encoder: str


class Experiment(Settings):
    """One experiment of a study; it is handed to the job that draws it as JSON."""

    name: str = Field(description="File name of the figure and table.")
    figure: str = Field(description="What is drawn.")
    tables: tuple[EmbeddingTable, ...] = Field(description="Embedding tables: dataset, sampler and encoder of each.")
    selectors: dict[str, dict[str, Any]] = Field(description="Settings of each selector by its name.")
    keep: tuple[float, ...] = Field(description="Keep rates.")
    students: tuple[str, ...] = Field(description="Names of the students.")
    tested_on: tuple[str, ...] = Field(description="Datasets that deep students are tested on across datasets.")

    @property
    def datasets(self) -> tuple[str, ...]:
        """Names of the datasets, each once."""
        return tuple(dict.fromkeys(table.dataset for table in self.tables))

    @property
    def keep_rate(self) -> float:
        """The keep rate below 1 of a figure that shows one.

        Raises:
            ValueError: There are several, of which the figure would drop all but one.
        """
        (rate,) = [rate for rate in self.keep if rate < 1]
        return rate
