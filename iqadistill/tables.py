"""The tables between stages: explicit Arrow schemas, versioned, written atomically.

Every stage reads tables of earlier stages and writes its own. A table on disk is always whole: it is written beside its
final name, flushed to the device and renamed.
"""

import contextlib
import hashlib
import json
import os
import platform
import re
import zlib
from collections.abc import Callable, Iterator, Mapping
from functools import cache
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.csv as pacsv
import pyarrow.parquet as pq

from iqadistill import __version__
from iqadistill.errors import InputError, machine_fault

SCHEMA_VERSION = "1"
LONGEST_NAME = 200  # bytes of a file's name, to which the name of its unfinished copy adds some; file systems allow 255
_DIGEST = "sha256"  # key of the file metadata, see `_digest`
_HOST = f"{zlib.crc32(platform.node().encode()):08x}"  # nodes of a cluster share folders, and may share process ids
_LEFTOVER = re.compile(rf"\..+\.{_HOST}-(?P<process>\d+)\.partial", re.DOTALL)

VARIANT = [
    ("train_dataset", pa.string()),
    ("sampler", pa.string()),
    ("encoder", pa.string()),
    ("selector", pa.string()),
    ("keep", pa.float64()),
    ("teacher", pa.string()),
    ("student", pa.string()),
    ("split", pa.int32()),
]
VARIANT_COLUMNS = [name for name, _ in VARIANT]
VARIANT_OVER_SPLITS = [name for name in VARIANT_COLUMNS if name != "split"]
_OTHER_VARIANT = [(f"other_{name}", kind) for name, kind in VARIANT if name != "split"]
_VARIANT_OVER_SPLITS = [(name, kind) for name, kind in VARIANT if name != "split"]
_DECIDED = [
    ("verdict", pa.string()),
    ("difference", pa.float64()),
    ("difference_low", pa.float64()),
    ("difference_high", pa.float64()),
    ("smallest_detectable", pa.float64()),
]
METRICS = ["srcc", "plcc", "plcc_raw", "krcc", "rmse"]
ALL = "all"  # in place of a selector or chooser: all patches, or all training images, which need no ranking
LEARNED, AUTO = "learned", "auto"  # choices of the patches to look at that no selector of a study makes
RANDOM = "random"  # the selector or chooser that is the control of all others

SCHEMAS: dict[str, pa.Schema] = {
    "images": pa.schema(
        [
            ("dataset", pa.string()),
            ("image_id", pa.string()),
            ("path", pa.string()),
            ("width", pa.int32()),
            ("height", pa.int32()),
            ("score", pa.float64()),
            ("score_std", pa.float64()),
            ("quality", pa.float64()),
            ("reference_id", pa.string()),
            ("is_reference", pa.bool_()),
            ("distortion", pa.string()),
            ("level", pa.int32()),
            ("region", pa.string()),  # the only part that is damaged, see iqadistill.datasets.regions; else null
            ("official_role", pa.string()),
            ("status", pa.string()),
            ("reason", pa.string()),
        ]
    ),
    "splits": pa.schema([("split", pa.int32()), ("image_id", pa.string()), ("role", pa.string())]),
    "patches": pa.schema(
        [
            ("patch_id", pa.int64()),
            ("image_id", pa.string()),
            ("order", pa.int32()),
            ("x", pa.int32()),
            ("y", pa.int32()),
            ("yaw", pa.float64()),
            ("pitch", pa.float64()),
            ("fov", pa.float64()),
            ("size", pa.int32()),
            ("weight", pa.float32()),
        ]
    ),
    # "embeddings" depends on the width: see embeddings_schema
    "selection": pa.schema(
        [("patch_id", pa.int64()), ("image_id", pa.string()), ("residual", pa.float64()), ("rank", pa.int32())]
    ),
    "selection_trace": pa.schema(
        [("image_id", pa.string()), ("iteration", pa.int32()), ("objective", pa.float64()), ("gap", pa.float64())]
    ),
    "history": pa.schema(
        [
            *VARIANT,
            ("epoch", pa.int32()),
            ("step", pa.int32()),
            ("loss", pa.float64()),
            ("parts", pa.map_(pa.string(), pa.float64())),  # of the loss, by name; null where it is one
            ("lr", pa.float64()),
            ("val_srcc", pa.float64()),
            ("num_patches", pa.int64()),
            ("seconds", pa.float64()),
            ("peak_memory", pa.float64()),
        ]
    ),
    "predictions": pa.schema(
        [
            ("dataset", pa.string()),
            ("image_id", pa.string()),
            *VARIANT,
            ("score", pa.float64()),
            ("prediction", pa.float64()),
            ("flipped", pa.float64()),  # prediction from horizontally flipped patches; null where it was not asked for
            ("num_patches", pa.int32()),
        ]
    ),
    # test images as students of random rankings score them, one row an image, split and ranking
    "draws": pa.schema(
        [
            ("dataset", pa.string()),
            ("image_id", pa.string()),
            ("sampler", pa.string()),
            ("encoder", pa.string()),
            ("keep", pa.float64()),
            ("student", pa.string()),
            ("split", pa.int32()),
            ("draw", pa.int32()),
            ("score", pa.float64()),
            ("prediction", pa.float64()),
        ]
    ),
    # patches of test images as the students on all patches score them
    "patch_scores": pa.schema(
        [
            ("dataset", pa.string()),
            ("sampler", pa.string()),
            ("encoder", pa.string()),
            ("student", pa.string()),
            ("split", pa.int32()),
            ("patch_id", pa.int64()),
            ("image_id", pa.string()),
            ("score", pa.float64()),
        ]
    ),
    # one row a choice of patches and number of them; random: the mean over rankings, and the range of 95 % of them
    "budgets": pa.schema(
        [
            ("dataset", pa.string()),
            ("sampler", pa.string()),
            ("encoder", pa.string()),
            ("student", pa.string()),
            ("selector", pa.string()),
            ("patches", pa.int32()),
            ("srcc", pa.float64()),
            ("low", pa.float64()),
            ("high", pa.float64()),
            ("distance", pa.float64()),  # mean absolute distance to the score from all patches, on quality's scale
            ("splits", pa.int32()),
            ("margin", pa.float64()),
            ("draws", pa.int32()),  # random rankings that the selector stands among
            ("below", pa.int32()),  # those with a lower SRCC
            ("p", pa.float64()),
            *_DECIDED,  # against random
            ("reason", pa.string()),
            *((f"all_{name}", kind) for name, kind in _DECIDED),  # against all patches
            ("mean_patches", pa.float64()),  # where each split decides on its own number of them
        ]
    ),
    # milliseconds to score an image: fixed + per_patch x number of patches, the choice of them included
    "budget_times": pa.schema(
        [
            ("dataset", pa.string()),
            ("sampler", pa.string()),
            ("encoder", pa.string()),
            ("student", pa.string()),
            ("selector", pa.string()),
            ("fixed", pa.float64()),
            ("per_patch", pa.float64()),
            ("images", pa.int32()),  # that it was measured on
        ]
    ),
    # patches of images that are damaged in a region, and the mean score that a student gives them as patches of test
    # images; one row a patch and student
    "damaged_patches": pa.schema(
        [
            ("dataset", pa.string()),
            ("sampler", pa.string()),
            ("encoder", pa.string()),
            ("student", pa.string()),
            ("patch_id", pa.int64()),
            ("image_id", pa.string()),
            ("damaged", pa.float64()),  # share of the patch that is damaged
            ("score", pa.float64()),
        ]
    ),
    # one row an order of patches and part of the images: how well it tells damaged patches from others. The selector
    # `all` stands for the patch scores of a student, lowest first; other selectors have no student
    "damage": pa.schema(
        [
            ("dataset", pa.string()),
            ("sampler", pa.string()),
            ("encoder", pa.string()),
            ("student", pa.string()),
            ("selector", pa.string()),
            ("region", pa.string()),  # kind of region; null: all
            ("level", pa.int32()),  # null: all
            ("auc", pa.float64()),
            ("low", pa.float64()),
            ("high", pa.float64()),
            ("images", pa.int32()),  # with damaged and other patches
            ("contents", pa.int32()),
        ]
    ),
    # test images as students score them that were trained on so many chosen or randomly drawn training images
    "choices": pa.schema(
        [
            ("dataset", pa.string()),
            ("image_id", pa.string()),
            ("sampler", pa.string()),
            ("encoder", pa.string()),
            ("student", pa.string()),
            ("split", pa.int32()),
            ("chooser", pa.string()),
            ("budget", pa.int32()),
            ("draw", pa.int32()),
            ("score", pa.float64()),
            ("prediction", pa.float64()),
        ]
    ),
    "metrics": pa.schema(
        [
            ("dataset", pa.string()),
            *VARIANT,
            *((name, pa.float64()) for name in METRICS),
            ("n", pa.int32()),
            ("mapping", pa.string()),  # form of the mapping before PLCC and RMSE; null where none was fitted
        ]
    ),
    # one row a variant, split and type of distortion; an empty type stands for all test images
    "distortions": pa.schema(
        [
            ("dataset", pa.string()),
            *VARIANT,
            ("distortion", pa.string()),
            ("images", pa.int32()),
            ("srcc", pa.float64()),
        ]
    ),
    # one row a variant: mean over splits with its interval, and median and spread as descriptions
    "summary": pa.schema(
        [
            ("dataset", pa.string()),
            *_VARIANT_OVER_SPLITS,
            ("metric", pa.string()),
            ("mean", pa.float64()),
            ("low", pa.float64()),
            ("high", pa.float64()),
            ("median", pa.float64()),
            ("std", pa.float64()),
            ("splits", pa.int32()),
        ]
    ),
    # one row a variant that was trained on the official split: a single training, and an interval over contents
    "official": pa.schema(
        [
            ("dataset", pa.string()),
            *_VARIANT_OVER_SPLITS,
            ("metric", pa.string()),
            ("value", pa.float64()),
            ("low", pa.float64()),
            ("high", pa.float64()),
            ("n", pa.int32()),
        ]
    ),
    # one row a deep student whose predictions were made of flipped patches too
    "stability": pa.schema(
        [
            ("dataset", pa.string()),
            *_VARIANT_OVER_SPLITS,
            ("difference", pa.float64()),
            ("std", pa.float64()),
            ("splits", pa.int32()),
        ]
    ),
    "comparisons": pa.schema(
        [
            ("dataset", pa.string()),
            ("family", pa.string()),
            *_VARIANT_OVER_SPLITS,
            *_OTHER_VARIANT,
            ("metric", pa.string()),
            ("delta", pa.float64()),
            ("low", pa.float64()),
            ("high", pa.float64()),
            ("p", pa.float64()),
            ("p_holm", pa.float64()),
            ("test", pa.string()),
            ("verdict", pa.string()),
            ("margin", pa.float64()),
            ("smallest_detectable", pa.float64()),
            ("draws", pa.int32()),  # random rankings that the selector stands among; 0 where it is no such test
            ("below", pa.int32()),  # those with a lower SRCC
            ("deviation", pa.float64()),  # of the SRCC over the random rankings
            ("reason", pa.string()),
        ]
    ),
    # one row a primary comparison
    "verdicts": pa.schema(
        [
            ("dataset", pa.string()),
            *((name, kind) for name, kind in _VARIANT_OVER_SPLITS if name not in ("train_dataset", "teacher")),
            *(
                (f"other_{name}", kind)
                for name, kind in _VARIANT_OVER_SPLITS
                if name not in ("train_dataset", "teacher")
            ),
            ("axis", pa.string()),
            ("metric", pa.string()),
            ("verdict", pa.string()),
            ("margin", pa.float64()),
            ("difference", pa.float64()),
            ("low", pa.float64()),
            ("high", pa.float64()),
            ("smallest_detectable", pa.float64()),
            ("p", pa.float64()),
            ("p_adjusted", pa.float64()),
            ("p_equivalence", pa.float64()),
            ("test", pa.string()),
            ("splits", pa.int32()),
            ("draws", pa.int32()),  # random rankings that the selector stands among; 0 where it is no such test
            ("below", pa.int32()),  # those with a lower SRCC
            ("deviation", pa.float64()),  # of the SRCC over the random rankings
            ("p_normal", pa.float64()),
            ("reason", pa.string()),
        ]
    ),
    "costs": pa.schema(
        [
            ("rule", pa.string()),
            ("wildcards", pa.string()),
            ("seconds", pa.float64()),
            ("cpu_seconds", pa.float64()),
            ("max_rss", pa.float64()),
            ("max_vram", pa.float64()),
            ("parameters", pa.float64()),
            ("flops", pa.float64()),
            ("scored_images", pa.float64()),
            ("scored_patches", pa.float64()),
            ("scoring_seconds", pa.float64()),  # of all these images, once
        ]
    ),
}


def embeddings_schema(width: int, dtype: str = "float32") -> pa.Schema:
    """Schema of an embeddings table whose vectors have `width` entries of type float32 or float16."""
    element = {"float32": pa.float32(), "float16": pa.float16()}[dtype]
    return pa.schema([("patch_id", pa.int64()), ("image_id", pa.string()), ("embedding", pa.list_(element, width))])


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


def write_atomically(path: str | Path, write: Callable[[Path], object]) -> None:
    """Let `write` fill a file beside `path`, flush it to the device, and rename it into place.

    Unfinished files that killed processes of this machine left in the folder are removed.

    Raises:
        InputError: `path` is a folder or a device; the disk is full, read-only or failing, or a limit of the machine is
            reached.
    """
    path = Path(path)
    temporary = _unfinished(path, f"{_HOST}-{os.getpid()}")
    try:
        if path.exists() and not path.is_file():  # a file in its place would end /dev/null for all programs
            raise InputError(f"{path}: is a folder, a device or a pipe; give a file.")
        path.parent.mkdir(parents=True, exist_ok=True)
        with contextlib.suppress(OSError):  # where files can be written but not listed or removed
            _remove_leftovers(path.parent.absolute())
        write(temporary)
        with open(temporary, "rb+") as file:
            os.fsync(file.fileno())
        temporary.replace(path)
        _flush_folder(path.parent)
    except Exception as error:
        if fault := machine_fault(error, path):
            raise fault from error
        raise
    finally:
        with contextlib.suppress(OSError):  # the error of the write itself is the one to read
            temporary.unlink(missing_ok=True)


def _unfinished(path: Path, writer: str) -> Path:
    """The file beside `path` that a process fills."""
    fits = len(os.fsencode(path.name)) < LONGEST_NAME
    name = path.name if fits else hashlib.sha256(os.fsencode(path.name)).hexdigest()
    return path.with_name(f".{name}.{writer}.partial")


@cache
def _remove_leftovers(folder: Path) -> None:
    """Remove unfinished files of killed processes, when a folder is first written to: a list of it takes long."""
    with os.scandir(folder) as entries:
        leftovers = [match for entry in entries if (match := _LEFTOVER.fullmatch(entry.name))]
    for leftover in leftovers:
        try:
            os.kill(int(leftover["process"]), 0)
        except ProcessLookupError:
            (folder / leftover[0]).unlink(missing_ok=True)
        except (PermissionError, OverflowError):  # a process of another user, or no file of ours
            continue


def _flush_folder(folder: Path) -> None:
    """Flush a rename to the device; not every file system can."""
    with contextlib.suppress(OSError):
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
