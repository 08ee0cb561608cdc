"""The tables between stages: made of rows, written atomically, and checked as they are read.

Every stage reads tables of earlier stages and writes its own. Their columns are those of `iqadistill.table_schemas`.
"""

import contextlib
import hashlib
import json
from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.csv as pacsv
import pyarrow.parquet as pq

from iqadistill import __version__
from iqadistill.atomic_writing import write_atomically
from iqadistill.errors import InputError, machine_fault
from iqadistill.table_schemas import SCHEMA_VERSION, SCHEMAS, embeddings_schema

ALL = "all"  # in place of a selector or chooser: all patches, or all training images, which need no ranking
LEARNED, AUTO = "learned", "auto"  # choices of the patches to look at that no selector of a study makes
RANDOM = "random"  # the selector or chooser that is the control of all others
_DIGEST = "sha256"  # key of the file metadata, see `_digest`


def embeddings_table(patch_id: np.ndarray, image_id: list[str], vectors: np.ndarray) -> pa.Table:
    """Build an embeddings table from vectors (n, d), float32 or float16."""
    schema = embeddings_schema(vectors.shape[1], str(vectors.dtype))
    column = pa.FixedSizeListArray.from_arrays(pa.array(vectors.reshape(-1)), vectors.shape[1])
    return pa.table([pa.array(patch_id, pa.int64()), pa.array(image_id, pa.string()), column], schema=schema)


def embedding_matrix(table: pa.Table) -> np.ndarray:
    """Vectors (n, d) of an embeddings table, float32."""
    column = table["embedding"].combine_chunks()
    width = column.type.list_size
    return column.flatten().to_numpy(zero_copy_only=False).reshape(-1, width).astype(np.float32, copy=False)


def as_table(rows: pa.Table | pd.DataFrame, kind: str) -> pa.Table:
    """Rows as a table of `kind`: columns in the schema's order, types cast, missing columns null.

    Raises:
        InputError: A column is unknown to the schema or cannot be cast.
    """
    table = pa.Table.from_pandas(rows, preserve_index=False) if isinstance(rows, pd.DataFrame) else rows
    if kind == "embeddings":
        vectors = table["embedding"].type
        return table.cast(
            embeddings_schema(vectors.list_size, "float16" if pa.types.is_float16(vectors.value_type) else "float32")
        )
    schema = SCHEMAS[kind]
    unknown = set(table.column_names) - set(schema.names)
    if unknown:
        raise InputError(f"table {kind}: unknown columns {sorted(unknown)}; expected {schema.names}.")
    columns = [
        table[field.name].cast(field.type) if field.name in table.column_names else pa.nulls(len(table), field.type)
        for field in schema
    ]
    return pa.table(columns, schema=schema)


def write_table(
    rows: pa.Table | pd.DataFrame, path: str | Path, kind: str, metadata: Mapping[str, str] | None = None
) -> None:
    """Write a table of `kind` as Parquet, atomically, with schema and code version in its file metadata.

    Args:
        rows: The rows; columns the caller leaves out are null.
        path: Target file.
        kind: Name in `SCHEMAS`, or "embeddings".
        metadata: Further facts to keep with the file, e.g. that scores are simulated.
    """
    table = as_table(rows, kind)
    given = {"table": kind, "schema_version": SCHEMA_VERSION, "iqadistill_version": __version__, **(metadata or {})}
    facts = {key: str(value) for key, value in given.items()}
    table = table.replace_schema_metadata({**facts, _DIGEST: _digest(table.schema, len(table), facts)})
    write_atomically(
        path, lambda temporary: pq.write_table(table, temporary, compression="zstd", write_page_checksum=True)
    )


def read_table(path: str | Path, kind: str, columns: list[str] | None = None) -> pa.Table:
    """Read a table and check that it is of `kind` and of this schema version.

    Raises:
        InputError: The file is missing, is damaged or no Parquet, or holds another table.
    """
    try:
        with _damage_named(path):
            table = pq.read_table(path, columns=columns, page_checksum_verification=True)
            facts = read_metadata(table)
            digest = facts.pop(_DIGEST, None)
            if digest not in (None, _digest(pq.read_schema(path), len(table), facts)):
                raise pa.ArrowInvalid("it does not hold what was written")
    except FileNotFoundError:
        raise InputError(f"{path}: no such table; run the stage that makes {kind}.") from None
    if facts.get("table") != kind or facts.get("schema_version") != SCHEMA_VERSION:
        found = f"table {facts.get('table')!r} version {facts.get('schema_version')!r}"
        raise InputError(f"{path}: holds {found}, expected {kind!r} version {SCHEMA_VERSION}; run its stage again.")
    return table


def read_rows(path: str | Path) -> pa.Table:
    """Read a table with columns of its own, such as that of a figure.

    Raises:
        InputError: The file is damaged or no Parquet.
    """
    with _damage_named(path):
        return pq.read_table(path, page_checksum_verification=True)


@contextlib.contextmanager
def _damage_named(path: str | Path) -> Iterator[None]:
    try:
        yield
    except FileNotFoundError:
        raise
    except (pa.ArrowException, UnicodeDecodeError, OSError) as error:
        if fault := machine_fault(error, path):
            raise fault from None
        raise InputError(f"{path}: not a readable Parquet file ({error}); delete it and run its stage again.") from None


def _digest(schema: pa.Schema, rows: int, facts: Mapping[str, str]) -> str:
    """Digest of what the end of a Parquet file states; the checksums of its pages cover the values alone."""
    columns = [[field.name, field.type.id] for field in schema]  # Parquet names the parts of lists and maps anew
    stated = [columns, rows, sorted(facts.items())]
    return hashlib.sha256(json.dumps(stated).encode()).hexdigest()


def read_metadata(table: pa.Table) -> dict[str, str]:
    """File metadata of a table as text."""
    return {
        key.decode(): value.decode() for key, value in (table.schema.metadata or {}).items() if key != b"ARROW:schema"
    }


def write_csv(table: pa.Table | pd.DataFrame, path: str | Path) -> None:
    """Write a table as CSV, atomically."""
    table = pa.Table.from_pandas(table, preserve_index=False) if isinstance(table, pd.DataFrame) else table
    write_atomically(path, lambda temporary: pacsv.write_csv(table, temporary))
