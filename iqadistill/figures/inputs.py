"""What figures read: tables of metrics, or the files behind an experiment on selections, read when asked for."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import pandas as pd

from iqadistill.figures.experiment import EmbeddingTable, Experiment
from iqadistill.figures.rows import cross_rows, experiment_rows
from iqadistill.tables import embedding_matrix, read_table


@dataclass(frozen=True)
class MetricInputs:
    """Tables of an experiment on metrics, narrowed to its rows.

    Attributes:
        experiment: The experiment.
        summary: Rows of table "summary" of students on the datasets they were trained on, and their controls.
        crossed: Rows of table "summary" of students on other datasets.
        comparisons: Table "comparisons" of the study.
        costs: Table "costs" of the study.
        histories: Rows of the tables "history", with the column dataset.
        notes: Words beside the name of a dataset, e.g. that its scores are simulated.
        ceilings: SRCC that the noise of a dataset's scores allows, where it is known.
    """

    experiment: Experiment
    summary: pd.DataFrame
    crossed: pd.DataFrame
    comparisons: pd.DataFrame
    costs: pd.DataFrame
    histories: pd.DataFrame
    notes: Mapping[str, str] = field(default_factory=dict)
    ceilings: Mapping[str, float] = field(default_factory=dict)

    @classmethod
    def of(
        cls, experiment: Experiment, summary: pd.DataFrame, histories: pd.DataFrame, **tables: Any
    ) -> "MetricInputs":
        """Inputs from the tables of the whole study."""
        return cls(
            experiment=experiment,
            summary=experiment_rows(summary, experiment),
            crossed=cross_rows(summary, experiment),
            histories=experiment_rows(histories.assign(dataset=histories.train_dataset), experiment),
            **tables,
        )


@dataclass(frozen=True)
class SelectionInputs:
    """Files of an experiment on selections.

    Attributes:
        experiment: The experiment.
        images: Files of the tables "images", one for each of the experiment's embedding tables, in order.
        patches: Files of the tables "patches", in the same order.
        embeddings: Files of the tables "embeddings", in the same order.
        selections: Files of the tables "selection", one for each embedding table and selector, the selectors of the first
            embedding table first.
        traces: Files of the tables "selection_trace", in the same order.
    """

    experiment: Experiment
    images: Sequence[str]
    patches: Sequence[str]
    embeddings: Sequence[str]
    selections: Sequence[str]
    traces: Sequence[str]

    @property
    def tables(self) -> tuple[EmbeddingTable, ...]:
        """Embedding tables of the experiment."""
        return self.experiment.tables

    @property
    def selectors(self) -> Mapping[str, Mapping[str, Any]]:
        """Settings of the experiment's selectors by name."""
        return self.experiment.selectors

    def read_images(self, table: EmbeddingTable) -> pd.DataFrame:
        """Table "images" of a dataset."""
        return read_table(self.images[self.tables.index(table)], "images").to_pandas()

    def read_patches(self, table: EmbeddingTable) -> pd.DataFrame:
        """Table "patches" of a dataset and sampler."""
        return read_table(self.patches[self.tables.index(table)], "patches").to_pandas()

    def read_vectors(self, table: EmbeddingTable) -> Iterator[tuple[str, Any]]:
        """(image_id, embeddings (n, d)) of every image."""
        rows = read_table(self.embeddings[self.tables.index(table)], "embeddings")
        matrix, image_ids = embedding_matrix(rows), rows["image_id"].to_pandas()
        for image_id, indices in image_ids.groupby(image_ids, sort=False).indices.items():
            yield image_id, matrix[indices]

    def read_selection(self, table: EmbeddingTable, selector: str) -> pd.DataFrame:
        """Table "selection" of an embedding table and selector."""
        return read_table(self.selections[self._position(table, selector)], "selection").to_pandas()

    def read_trace(self, table: EmbeddingTable, selector: str) -> pd.DataFrame:
        """Table "selection_trace" of an embedding table and selector."""
        return read_table(self.traces[self._position(table, selector)], "selection_trace").to_pandas()

    def _position(self, table: EmbeddingTable, selector: str) -> int:
        names = list(self.selectors)
        return self.tables.index(table) * len(names) + names.index(selector)
