"""Inputs of figures: tables of metrics, or the files of an experiment on selections, read on demand."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd

from iqadistill.errors import InputError
from iqadistill.figures.drawing.style import dataset_note
from iqadistill.figures.experiment import EmbeddingTable, Experiment
from iqadistill.figures.rows import cross_dataset_rows, experiment_rows, with_shown_intervals
from iqadistill.tables import embedding_matrix, read_metadata, read_table


@dataclass(frozen=True)
class MetricInputs:
    """Tables of an experiment on metrics, restricted to its rows.

    Attributes:
        experiment: The experiment.
        summary: Rows of table "summary" of students tested on their training datasets, with the controls.
        cross_dataset: Rows of table "summary" of students tested on other datasets.
        distortions: Rows of table "distortions".
        comparisons: Table "comparisons" of the study.
        costs: Table "costs" of the study.
        histories: Rows of the tables "history", with a column `dataset`; empty for figures without `histories`.
        notes: Note of a dataset by its name, e.g. "simulated scores".
        ceilings: Noise ceiling (SRCC) of a dataset by its name, where it is known.
        sources: Registry name of each dataset.
        may_have_seen: Pairs of dataset and student of which the student may have seen the test images.
        label_efficiency: Rows of `iqadistill.evaluation.label_efficiency.label_efficiency`; empty for other figures.
    """

    experiment: Experiment
    summary: pd.DataFrame
    cross_dataset: pd.DataFrame
    distortions: pd.DataFrame
    comparisons: pd.DataFrame
    costs: pd.DataFrame
    histories: pd.DataFrame
    notes: Mapping[str, str] = field(default_factory=dict)
    ceilings: Mapping[str, float] = field(default_factory=dict)
    sources: Mapping[str, str] = field(default_factory=dict)
    may_have_seen: frozenset[tuple[str, str]] = frozenset()
    label_efficiency: pd.DataFrame = field(default_factory=pd.DataFrame)

    @classmethod
    def of(
        cls,
        experiment: Experiment,
        *,
        summary: pd.DataFrame,
        distortions: pd.DataFrame,
        comparisons: pd.DataFrame,
        costs: pd.DataFrame,
        histories: pd.DataFrame,
        notes: Mapping[str, str],
        ceilings: Mapping[str, float],
        sources: Mapping[str, str] | None = None,
        may_have_seen: frozenset[tuple[str, str]] = frozenset(),
        label_efficiency: pd.DataFrame | None = None,
    ) -> "MetricInputs":
        """Inputs of an experiment from the tables of its study.

        Args:
            experiment: The experiment.
            summary: Table "summary" of the study.
            distortions: Table "distortions" of the study.
            comparisons: Table "comparisons" of the study.
            costs: Table "costs" of the study.
            histories: Tables "history" of all students of the study, for figures that show them.
            notes: Note of each dataset.
            ceilings: Noise ceiling of each dataset, where it is known.
            sources: Registry name of each dataset.
            may_have_seen: Pairs of dataset and student of which the student may have seen the test images.
            label_efficiency: What choosers decided, for the figure that shows it.
        """
        summary = with_shown_intervals(summary)
        return cls(
            experiment=experiment,
            summary=experiment_rows(summary, experiment),
            cross_dataset=cross_dataset_rows(summary, experiment),
            distortions=experiment_rows(distortions, experiment),
            comparisons=comparisons,
            costs=costs,
            histories=experiment_rows(histories.assign(dataset=histories.train_dataset), experiment),
            notes=notes,
            ceilings=ceilings,
            sources=sources or {},
            may_have_seen=may_have_seen,
            label_efficiency=pd.DataFrame() if label_efficiency is None else label_efficiency,
        )


@dataclass(frozen=True)
class BudgetInputs:
    """Tables of an experiment on budgets.

    Attributes:
        experiment: The experiment.
        budgets: Table "budgets" of all its embedding tables.
        times: Table "budget_times" of all its embedding tables.
        notes: Note of a dataset by its name, e.g. "simulated scores".
    """

    experiment: Experiment
    budgets: pd.DataFrame
    times: pd.DataFrame
    notes: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class DamageInputs:
    """Tables of an experiment on local damage.

    Attributes:
        experiment: The experiment.
        damage: Table "damage" of all its embedding tables.
        damaged_patches: Table "damaged_patches" of all its embedding tables.
        tables: Tables "images" and "patches" behind each embedding table.
        notes: Note of a dataset by its name, e.g. "simulated scores".
    """

    experiment: Experiment
    damage: pd.DataFrame
    damaged_patches: pd.DataFrame
    tables: Mapping[tuple[str, str, str], tuple[pd.DataFrame, pd.DataFrame]]
    notes: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def of(
        cls, experiment: Experiment, damage: str, damaged_patches: str, images: Sequence[str], patches: Sequence[str]
    ) -> "DamageInputs":
        """Inputs of an experiment from its files.

        Args:
            experiment: The experiment.
            damage: File of the table "damage".
            damaged_patches: File of the table "damaged_patches".
            images: Files of the tables "images", one for each embedding table of the experiment, in the same order.
            patches: Files of the tables "patches", in the same order.
        """
        tables: dict[tuple[str, str, str], tuple[pd.DataFrame, pd.DataFrame]] = {}
        notes = {}
        for table, image_file, patch_file in zip(experiment.tables, images, patches, strict=True):
            rows, placed = read_table(image_file, "images"), read_table(patch_file, "patches").to_pandas()
            notes[table.dataset] = dataset_note(read_metadata(rows))
            tables[table] = rows.to_pandas(), placed
        numbers = read_table(damage, "damage").to_pandas()
        return cls(experiment, numbers, read_table(damaged_patches, "damaged_patches").to_pandas(), tables, notes)


@dataclass(frozen=True)
class SelectionInputs:
    """Files of an experiment on selections.

    Attributes:
        experiment: The experiment.
        images: Files of the tables "images", one for each embedding table of the experiment, in the same order.
        patches: Files of the tables "patches", in the same order.
        embeddings: Files of the tables "embeddings", in the same order.
        selections: Files of the tables "selection", one for each embedding table and selector: all selectors of the
            first embedding table, then those of the second, and so on.
        traces: Files of the tables "selection_trace", in the same order as the selections.

    Raises:
        InputError: The number of files does not match the embedding tables and selectors of the experiment.
    """

    experiment: Experiment
    images: Sequence[str]
    patches: Sequence[str]
    embeddings: Sequence[str]
    selections: Sequence[str]
    traces: Sequence[str]

    def __post_init__(self) -> None:
        tables, rankings = len(self.tables), len(self.tables) * len(self.selectors)
        for name, files, expected in (
            ("images", self.images, tables),
            ("patches", self.patches, tables),
            ("embeddings", self.embeddings, tables),
            ("selections", self.selections, rankings),
            ("traces", self.traces, rankings),
        ):
            if len(files) != expected:
                raise InputError(
                    f"experiment {self.experiment.name}: got {len(files)} files of {name}, expected {expected} "
                    f"for {tables} embedding tables and {len(self.selectors)} selectors; give one for each."
                )

    @property
    def tables(self) -> tuple[EmbeddingTable, ...]:
        """Embedding tables of the experiment."""
        return self.experiment.tables

    @property
    def selectors(self) -> Mapping[str, Mapping[str, Any]]:
        """Settings of each selector of the experiment by its name."""
        return self.experiment.selectors

    def read_images(self, table: EmbeddingTable) -> pd.DataFrame:
        """Table "images" of the dataset of an embedding table."""
        return read_table(self.images[self.tables.index(table)], "images").to_pandas()

    def read_patches(self, table: EmbeddingTable) -> pd.DataFrame:
        """Table "patches" of the dataset and sampler of an embedding table."""
        return read_table(self.patches[self.tables.index(table)], "patches").to_pandas()

    def read_embeddings(self, table: EmbeddingTable) -> Iterator[tuple[str, np.ndarray]]:
        """The image_id and embeddings (n, d) of every image."""
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
