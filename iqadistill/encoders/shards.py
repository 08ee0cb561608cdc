"""Embedding of a large patch table in parts, each by a job of its own, and the table that they make together."""

import contextlib
from collections.abc import Iterable
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from iqadistill.errors import InputError

BLOCK = 256  # patches; a multiple of the batches of `embed_patches` on every device
GATHERED, MOVED = 4, 20  # bytes of memory for each number of a gathered table, and of the part that is read or written


def shard_of(patches: pa.Table, number: int, shards: int) -> pa.Table:
    """The consecutive patches that one of several jobs embeds.

    Parts begin where a batch begins when one job embeds all, on a CPU as on a card. So every batch holds the same
    patches, and embeddings are the same to the bit: networks round otherwise in batches of other sizes. An image on a
    border is decoded twice, and parts are empty where there are fewer blocks of 256 patches than parts.

    Args:
        patches: Table "patches".
        number: Number of the part, from 0.
        shards: Number of parts.
    """
    blocks = -(-len(patches) // BLOCK)
    first, end = (BLOCK * (blocks * part // shards) for part in (number, number + 1))
    return patches.slice(first, end - first)


def gather_shards(parts: Iterable[pa.Table], patches: pa.Table) -> pa.Table:
    """The embeddings of a patch table from those of its parts.

    Args:
        parts: Tables "embeddings" of all parts, in order.
        patches: Table "patches".

    Raises:
        InputError: The parts are not those of this patch table.
    """
    table = pa.concat_tables(parts)
    if any(not table[name].equals(patches[name]) for name in ("patch_id", "image_id")):
        raise InputError(
            f"shards: their {len(table)} embeddings are not those of the {len(patches)} patches of this dataset and"
            " sampler; delete the folder of these shards below results/embed_shard and run again."
        )
    return table


def gathering_bytes(parts: Iterable[str | Path]) -> int:
    """Bytes of memory in which the embeddings of some parts are gathered.

    A part takes most while it is read or written, of float16 as much as of float32. Numbers are counted by what the
    ends of files state, for their sizes say little: where a network ends in a ReLU, zeros are compressed to nothing.

    Args:
        parts: Files of the parts; those that are damaged count for nothing, and are named when they are read.

    Raises:
        FileNotFoundError: A part is missing.
    """
    numbers = [0]
    for part in parts:
        with open(part, "rb") as file, contextlib.suppress(pa.ArrowException):
            facts = pq.read_metadata(file)
            vectors = facts.num_columns - 1  # the last column
            groups = (facts.row_group(index) for index in range(facts.num_row_groups))
            numbers.append(sum(group.column(vectors).num_values for group in groups))
    return GATHERED * sum(numbers) + MOVED * max(numbers)
