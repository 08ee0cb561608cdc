"""Embeddings of a user's images, kept in a folder as they come, so that a run that was interrupted goes on."""

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from iqadistill.tables import embedding_matrix, embeddings_table, read_table, write_table

BLOCK = 200  # images of a file; no more are embedded again after an interruption


class KeptEmbeddings:
    """Embeddings in a folder, a file for each 200 images.

    An image is known by its path, its size in bytes and the time of its last change: a file that was replaced is
    embedded again.

    Args:
        folder: Folder of the embeddings; it is made when the first are written.
        made_with: What decides an embedding beside the image, such as encoder and crops; embeddings that were made with
            anything else are not found.

    Raises:
        InputError: A file in the folder cannot be read.
    """

    def __init__(self, folder: Path, made_with: Mapping[str, Any]):
        self._folder = folder / hashlib.sha256(json.dumps(made_with, sort_keys=True).encode()).hexdigest()[:8]
        self._found: dict[str, np.ndarray] = {}
        self._waiting: dict[str, np.ndarray] = {}
        for file in sorted(self._folder.glob("*.parquet")):
            table = read_table(file, "embeddings")
            self._found.update(zip(table["image_id"].to_pylist(), embedding_matrix(table), strict=True))

    def find(self, path: Path) -> np.ndarray | None:
        """The embedding (d,) of an image, or None."""
        return self._found.get(_key(path)) if self._found and path.exists() else None

    def add(self, path: Path, vector: np.ndarray) -> None:
        """Keep the embedding (d,) of an image; a file is written as soon as there are enough."""
        self._waiting[_key(path)] = vector
        if len(self._waiting) == BLOCK:
            self.write()

    def write(self) -> None:
        """Write the embeddings that are not yet in a file."""
        if self._waiting:
            keys, vectors = list(self._waiting), np.stack(list(self._waiting.values()))
            name = hashlib.sha256("\n".join(keys).encode()).hexdigest()[:16]
            write_table(
                embeddings_table(np.arange(len(keys)), keys, vectors), self._folder / f"{name}.parquet", "embeddings"
            )
            self._waiting.clear()


def _key(path: Path) -> str:
    facts = path.stat()
    return f"{path.resolve()} {facts.st_size} {facts.st_mtime_ns}"
