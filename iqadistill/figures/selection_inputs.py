"""The tables behind an experiment on selections, read when a figure asks for them."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from iqadistill.tables import embedding_matrix, read_table


class SelectionInputs:
    """Tables of an experiment's cells and selectors.

    Args:
        results: The folder the workflow writes to.
        experiment: `cells` (mappings of dataset, sampler, encoder), `selectors` (name to settings), `keep`.
    """

    def __init__(self, results: Path, experiment: Mapping[str, Any]):
        self.results = results
        self.cells = [(cell["dataset"], cell["sampler"], cell["encoder"]) for cell in experiment["cells"]]
        self.selectors: Mapping[str, Mapping[str, Any]] = experiment["selectors"]
        self.keep: float = experiment["keep"][0]

    def images(self, cell: tuple[str, str, str]) -> pd.DataFrame:
        """Table "images" of a cell's dataset."""
        return read_table(self.results / f"index_dataset/{cell[0]}.parquet", "images").to_pandas()

    def patches(self, cell: tuple[str, str, str]) -> pd.DataFrame:
        """Table "patches" of a cell."""
        return read_table(self.results / f"sample_patches/{cell[0]}/{cell[1]}.parquet", "patches").to_pandas()

    def vectors(self, cell: tuple[str, str, str]) -> Iterator[tuple[str, Any]]:
        """(image_id, embeddings (n, d)) of every image of a cell."""
        table = read_table(self.results / "embed_patches" / f"{'/'.join(cell)}.parquet", "embeddings")
        matrix = embedding_matrix(table)
        for image, rows in (
            table["image_id"].to_pandas().groupby(table["image_id"].to_pandas(), sort=False).indices.items()
        ):
            yield image, matrix[rows]

    def selection(self, cell: tuple[str, str, str], selector: str) -> pd.DataFrame:
        """Table "selection" of a cell and selector."""
        return read_table(self._selected(cell, selector, ".parquet"), "selection").to_pandas()

    def trace(self, cell: tuple[str, str, str], selector: str) -> pd.DataFrame:
        """Table "selection_trace" of a cell and selector."""
        return read_table(self._selected(cell, selector, ".trace.parquet"), "selection_trace").to_pandas()

    def _selected(self, cell: tuple[str, str, str], selector: str, ending: str) -> Path:
        return self.results / "select_patches" / "/".join(cell) / f"{selector}{ending}"
