"""Embeddings of many images, passed over in blocks of rows: held in memory, or read from a Parquet file each time."""

import math
from collections.abc import Iterator
from functools import cached_property
from pathlib import Path
from typing import Protocol

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from iqadistill.errors import InputError
from iqadistill.table_schemas import LARGEST_EMBEDDING

ROWS = 4096  # of a block, so that copies of it in other types stay small
SAFE = 2.0**40  # sums of squares of numbers from 1 / SAFE to SAFE are in the range of float32
SINGLE: np.dtype = np.dtype(np.float32)


class EmbeddingBlocks(Protocol):
    """Embeddings (n, d) that can be passed over as often as needed."""

    @property
    def shape(self) -> tuple[int, int]:
        """Number n of images and d of features."""

    def blocks(self) -> Iterator[np.ndarray]:
        """Consecutive rows (r, d), all of them once, in the type in which they are stored."""


class HeldEmbeddings:
    """Embeddings in memory.

    Args:
        matrix: Embeddings (n, d).
        rows: Largest number of rows of a block.
    """

    def __init__(self, matrix: np.ndarray, rows: int = ROWS):
        self.matrix, self.rows = matrix, rows
        self.shape: tuple[int, int] = matrix.shape

    def blocks(self) -> Iterator[np.ndarray]:
        """Consecutive rows (r, d) of the matrix."""
        for start in range(0, len(self.matrix), self.rows):
            yield self.matrix[start : start + self.rows]


class ScaledEmbeddings:
    """Embeddings in one type, divided by a power of two where their squares would leave the range of float32.

    Args:
        embeddings: Embeddings (n, d).
        largest: Largest magnitude among them, see `largest_magnitude`.
        dtype: float32 or float64.

    Attributes:
        exponent: Exponent of the power of two, 0 for all but very large and very small embeddings.
    """

    def __init__(self, embeddings: EmbeddingBlocks, largest: float, dtype: np.dtype = SINGLE):
        self.embeddings, self.dtype = embeddings, dtype
        self.exponent = 0 if 1 / SAFE <= largest <= SAFE else math.frexp(largest)[1]
        self.shape: tuple[int, int] = embeddings.shape

    def blocks(self) -> Iterator[np.ndarray]:
        """Consecutive rows (r, d)."""
        for block in self.embeddings.blocks():
            scaled = np.ldexp(block, -self.exponent) if self.exponent else block
            yield scaled.astype(self.dtype, copy=False)


class EmbeddingFile:
    """Embeddings in a Parquet file: a row for each image, with its name and its vector.

    Args:
        path: File with the columns `image_id` (text) and `embedding` (list of d floats, float16 or wider).
        rows: Largest number of rows of a block.

    Raises:
        InputError: The file is missing, not a Parquet file, or lacks a column of this kind.
    """

    def __init__(self, path: Path, rows: int = ROWS):
        self.path, self.rows = path, rows
        try:
            with path.open("rb") as file:
                start = file.read(4)
            if start != b"PAR1":
                raise InputError(
                    f"{path}: neither a folder nor a Parquet file; give a folder of images, or a Parquet file of their "
                    "embeddings."
                )
            schema, self._n = pq.read_schema(path), pq.read_metadata(path).num_rows
        except FileNotFoundError:
            raise InputError(f"{path}: no such file; give a Parquet file of embeddings.") from None
        except (pa.ArrowInvalid, OSError) as error:
            raise self._damage(error) from None
        for column, expected in (("image_id", "the name of each image"), ("embedding", "lists of numbers")):
            if column not in schema.names:
                raise InputError(
                    f"{path}: has no column {column!r} but {schema.names}; give {expected} in a column of this name."
                )
        names = schema.field("image_id").type
        if not (pa.types.is_string(names) or pa.types.is_large_string(names) or pa.types.is_integer(names)):
            raise InputError(f"{path}: column image_id holds {names}, expected the name of each image as text.")
        kind = schema.field("embedding").type
        if not (
            pa.types.is_list(kind) or pa.types.is_large_list(kind) or pa.types.is_fixed_size_list(kind)
        ) or not pa.types.is_floating(kind.value_type):
            raise InputError(f"{path}: column embedding holds {kind}, expected a list of d floats for each image.")
        if not self._n:
            raise InputError(f"{path}: holds no embedding; give a file with a row for each image.")
        self.dtype = np.dtype(kind.value_type.to_pandas_dtype())

    @cached_property
    def shape(self) -> tuple[int, int]:
        """Number n of images and d of features, the length of the first vector."""
        with pq.ParquetFile(self.path, pre_buffer=False) as file:
            first = next(self._batches(file, 1, "embedding"))["embedding"]
        width = len(first[0]) if first[0].is_valid else 0
        if not width:
            raise InputError(f"{self.path}: the first embedding is empty; give a vector for each image.")
        return self._n, width

    def names(self) -> list[str]:
        """Name of each image.

        Raises:
            InputError: A name is empty or occurs twice.
        """
        try:
            names: list[str] = pq.read_table(self.path, columns=["image_id"])["image_id"].cast(pa.string()).to_pylist()
        except (pa.ArrowInvalid, OSError) as error:
            raise self._damage(error) from None
        seen: set[str] = set()
        for row, name in enumerate(names):
            if not name or name in seen:
                fault = f"image {name!r} occurs twice" if name else "has no name"
                raise InputError(
                    f"{self.path} row {row}: {fault}; give one row for each image, and a name in image_id."
                )
            seen.add(name)
        return names

    def blocks(self) -> Iterator[np.ndarray]:
        """Consecutive rows (r, d), read from the file; one block is in memory at a time.

        Raises:
            InputError: The file is damaged, or a vector is missing or has another length than the first.
        """
        width, done = self.shape[1], 0
        # without pre_buffer=False the compressed file would be held in memory as well
        with pq.ParquetFile(self.path, pre_buffer=False, page_checksum_verification=True) as file:
            for batch in self._batches(file, self.rows, "embedding"):
                column = batch["embedding"]
                values = column.flatten()
                lengths = pc.unique(pc.list_value_length(column)).to_pylist()
                if values.null_count or lengths != [width]:
                    raise InputError(
                        f"{self.path} rows {done} to {done + len(column) - 1}: an embedding is missing or has "
                        f"other than {width} numbers, the length of the first; embed these images again."
                    )
                done += len(column)
                yield values.to_numpy(zero_copy_only=False).reshape(-1, width)

    def held(self) -> HeldEmbeddings:
        """The embeddings in memory, in the type in which they are stored."""
        matrix, filled = np.empty(self.shape, self.dtype), 0
        for block in self.blocks():
            matrix[filled : filled + len(block)] = block
            filled += len(block)
        return HeldEmbeddings(matrix, self.rows)

    def held_within(self, size: float) -> EmbeddingBlocks:
        """The embeddings in memory if they take at most so many bytes there, else this file."""
        n, d = self.shape
        return self.held() if n * d * self.dtype.itemsize <= size else self

    def _batches(self, file: pq.ParquetFile, rows: int, column: str) -> Iterator[pa.RecordBatch]:
        try:
            yield from file.iter_batches(rows, columns=[column])
        except (pa.ArrowInvalid, OSError) as error:
            raise self._damage(error) from None

    def _damage(self, error: Exception) -> InputError:
        cause = str(error).split(". ")[0].rstrip(".")
        return InputError(f"{self.path}: a damaged Parquet file ({cause}); write it again.")


def largest_magnitude(block: np.ndarray, start: int) -> float:
    """Largest magnitude in a block (r, d) of embeddings whose first row is row `start` of all.

    Raises:
        InputError: A number is NaN, infinite or beyond 1e140; the message names its row.
    """
    wide = block.astype(SINGLE) if block.dtype == np.float16 else block  # float16 is compared slowly
    largest = max(float(wide.max()), -float(wide.min()))
    limit = LARGEST_EMBEDDING["float64"]
    if not largest <= limit:
        row = start + int(np.argmin((np.abs(wide.astype(np.float64)) <= limit).all(1)))
        raise InputError(
            f"embeddings: row {row} holds NaN, infinite or huge values (beyond {limit:g}); embed this image again or "
            "leave it out."
        )
    return largest


def take_rows(embeddings: EmbeddingBlocks, images: np.ndarray) -> np.ndarray:
    """Embeddings (r, d) of images by their sorted indices (r,)."""
    taken, start = [], 0
    for block in embeddings.blocks():
        first, last = np.searchsorted(images, [start, start + len(block)])
        taken.append(block[images[first:last] - start])
        start += len(block)
    return np.concatenate(taken)
