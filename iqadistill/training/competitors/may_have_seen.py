"""Students that may have seen the images they are tested on, as the metadata of tables names them."""

import json
from collections.abc import Iterable

import pyarrow as pa

from iqadistill.tables import read_metadata

KEY = "may_have_seen"


def as_metadata(students: Iterable[tuple[str, str]]) -> dict[str, str]:
    """File metadata of a table.

    Args:
        students: Pairs of dataset and student.
    """
    return {KEY: json.dumps(sorted(students))}


def read_may_have_seen(*tables: pa.Table) -> frozenset[tuple[str, str]]:
    """Pairs of dataset and student from the metadata of tables; none where there is no such metadata."""
    found = (json.loads(read_metadata(table).get(KEY, "[]")) for table in tables)
    return frozenset((dataset, student) for pairs in found for dataset, student in pairs)
