"""Checksums of official files, recorded in datasets.lock/NAME.yaml when a file is first seen and enforced from then on.

There is one file per dataset, so that simultaneous downloads never write the same one. The folder lies where the
workflow runs and is worth keeping with a study: it identifies the bytes that the results are based on.
"""

from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import TypedDict

import yaml

from iqadistill.atomic_writing import write_atomically
from iqadistill.datasets.registry import ArchiveRecord
from iqadistill.errors import InputError
from iqadistill.provenance import file_digest

LOCKS = Path("datasets.lock")


class LockedFile(TypedDict):
    """Size and SHA-256 of a file, its address (None if it was put there by hand), and when it was first seen (UTC)."""

    bytes: int
    sha256: str
    url: str | None
    when: str


def read_locks(source: str) -> dict[str, LockedFile]:
    """Recorded files of a dataset, by name."""
    file = LOCKS / f"{source}.yaml"
    return yaml.safe_load(file.read_text(encoding="utf-8")) if file.is_file() else {}


def check_file(source: str, archive: ArchiveRecord, file: Path, url: str | None) -> None:
    """Compare a file with its known size and SHA-256, and record them if it is seen for the first time.

    Args:
        source: Name of the dataset in the registry.
        archive: Registry record of the file.
        file: The file.
        url: Address that it was downloaded from; None if it was found in the folder.

    Raises:
        InputError: The size or SHA-256 differs from the known one.
    """
    locks = read_locks(source)
    locked = locks.get(file.name)
    size, known_size = file.stat().st_size, archive.bytes or (locked and locked["bytes"])
    if known_size and size != known_size:
        raise InputError(
            f"{file}: has {size} bytes, expected {known_size}; "
            "it is truncated or another version, delete it to get it again."
        )
    digest, known_digest = file_digest(file), archive.sha256 or (locked and locked["sha256"])
    if known_digest and digest != known_digest:
        raise InputError(
            f"{file}: has the SHA-256 {digest[:12]}…, expected {known_digest[:12]}…; "
            "it is damaged or altered, delete it to get it again."
        )
    if locked is None:
        when = datetime.now(UTC).isoformat(timespec="seconds")
        locks[file.name] = LockedFile(bytes=size, sha256=digest, url=url, when=when)
        _write(source, locks)


def forget_file(source: str, name: str) -> None:
    """Remove a file that could not be used from the record, so that another one may take its place."""
    locks = read_locks(source)
    if locks.pop(name, None):
        _write(source, locks)


def _write(source: str, locks: Mapping[str, LockedFile]) -> None:
    text = yaml.safe_dump(dict(locks), sort_keys=True)
    write_atomically(LOCKS / f"{source}.yaml", lambda temporary: temporary.write_text(text, encoding="utf-8"))
