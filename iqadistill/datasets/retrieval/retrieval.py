"""From a dataset's name to its unpacked official files: downloaded, found as an archive, or found unpacked."""

import os
import shutil
from collections.abc import Iterable
from pathlib import Path
from typing import Any
from urllib.parse import quote, unquote, urlsplit

from iqadistill.datasets.registry import ArchiveRecord, DatasetRecord, dataset_record
from iqadistill.datasets.retrieval.archives import is_archive
from iqadistill.datasets.retrieval.checksums import check_file, read_locks
from iqadistill.datasets.retrieval.downloading import PART, download
from iqadistill.datasets.retrieval.unpacking import unpack
from iqadistill.errors import InputError

UNPACKING = ".unpacking"
# what may come out of an archive whose entry does not say: pictures hardly compress, so this is ample for data and not for bombs
RATIO = 20
FLOOR = 256 << 20  # bytes


def retrieve_dataset(source: str, root: str | Path, *, url: str | None = None) -> dict[str, Any]:
    """Make sure that a dataset's official files lie unpacked in a folder.

    A folder that has them is left as it is. Else its official files are downloaded, unless they lie there, compared with what
    is known of them and unpacked. The folder counts as unpacked only once everything is in place, so a run that was killed
    goes on where it was.

    Args:
        source: Name in `list_datasets()` of a dataset that comes as an archive.
        root: The folder.
        url: A mirror to use instead of the official addresses: a folder (http, https or file) with the official files, or one
            archive with the whole dataset.

    Returns:
        What was found: source, and for each official file bytes, sha256, url and when, as it first came.

    Raises:
        InputError: No such dataset; its files must be asked for; a file cannot be downloaded, is not the one known or cannot be
            unpacked; something is missing after all.
    """
    record, root = dataset_record(source), Path(root)
    if record.origin != "archive":
        raise InputError(f"dataset {source!r} comes as no archive, so there is nothing to retrieve.")
    if not is_unpacked(record, root):
        _fetch(source, record, root, url)
        if not is_unpacked(record, root):
            _unpack(source, record, root)
        if missing := _missing(record, root):
            raise InputError(_request(source, record, root, missing))
    return {"source": source, "files": read_locks(source)}


def dataset_status(record: DatasetRecord, root: Path) -> str:
    """State of a dataset's folder: "ready", "partial download", "archive present" or "missing"."""
    if is_unpacked(record, root):
        return "ready"
    if any(root.glob(f"*{PART}")):
        return "partial download"
    return "archive present" if _archives(record, root) else "missing"


def is_unpacked(record: DatasetRecord, root: Path) -> bool:
    """Whether a folder has all that a dataset's record says it holds, or an images.csv, and no unpacking was cut short."""
    if (root / UNPACKING).exists():
        return False
    return (root / "images.csv").is_file() or not _missing(record, root)


def _missing(record: DatasetRecord, root: Path) -> list[str]:
    """Patterns of what is neither at the top of the folder nor one folder below."""
    return [pattern for pattern in record.holds if not any(_found(root, pattern))]


def _found(root: Path, pattern: str) -> Iterable[Path]:
    return (path for base in ("", "*/") for path in root.glob(base + pattern) if not is_archive(path.name))


def _archives(record: DatasetRecord, root: Path) -> list[Path]:
    """Archives in the folder: those of the record, and for a dataset that must be asked for any, whatever its name."""
    named = [root / archive.name for archive in record.archives]
    others = sorted(root.glob("*")) if record.access != "open" or not any(file.is_file() for file in named) else []
    return [file for file in dict.fromkeys([*named, *others]) if file.is_file() and is_archive(file.name)]


def _fetch(source: str, record: DatasetRecord, root: Path, url: str | None) -> None:
    """Download the files that are not there, and compare all with what is known of them."""
    for archive in _mirrored(source, record, url) if url else record.archives:
        file = root / archive.name
        if file.is_file():
            check_file(source, archive, file, None)
        elif archive.urls:
            came_from = download(archive.urls, file)
            check_file(source, archive, file, came_from)


def _mirrored(source: str, record: DatasetRecord, url: str) -> list[ArchiveRecord]:
    """The official files with their addresses on a mirror, or the one archive the mirror is."""
    name = unquote(Path(urlsplit(url).path).name)
    if is_archive(name):
        return [
            next((a for a in record.archives if a.name == name), ArchiveRecord(name=name)).model_copy(
                update={"urls": (url,)}
            )
        ]
    if not record.archives:
        raise InputError(
            f"{source}: the official files of this dataset have no fixed names; give the url of one archive."
        )
    return [a.model_copy(update={"urls": (f"{url.rstrip('/')}/{quote(a.name)}",)}) for a in record.archives]


def _unpack(source: str, record: DatasetRecord, root: Path) -> None:
    """Unpack every archive beside its place, and move the files there once all of them are out."""
    known = {archive.name: archive for archive in record.archives}
    archives, beside = _archives(record, root), root / UNPACKING
    if not archives:
        return
    shutil.rmtree(beside, ignore_errors=True)
    for file in archives:
        archive = known.get(file.name, ArchiveRecord(name=file.name))
        if file.name not in known:
            check_file(source, archive, file, None)
        limit = archive.unpacked or max(RATIO * file.stat().st_size, FLOOR)
        folder = beside / file.name
        folder.mkdir(parents=True)
        unpack(file, folder, limit)
        if archive.folder and not (folder / archive.folder).is_dir():
            (folder / archive.folder).mkdir()
            for path in [path for path in folder.iterdir() if path.name != archive.folder]:
                path.rename(folder / archive.folder / path.name)
    for file in archives:
        _move(beside / file.name, root)
    os.sync()  # the files before the folder's disappearance, which declares them whole
    shutil.rmtree(beside)


def _move(folder: Path, root: Path) -> None:
    for path in sorted(folder.rglob("*")):
        if path.is_file():
            target = root / path.relative_to(folder)
            target.parent.mkdir(parents=True, exist_ok=True)
            path.replace(target)


def _request(source: str, record: DatasetRecord, root: Path, missing: list[str]) -> str:
    """One message for what cannot be done here: where to ask, which files, which folder."""
    if record.access == "open":
        return f"{root}: {source} is unpacked but {', '.join(missing)} is missing; delete the folder to get it again."
    names = [archive.name for archive in record.archives]
    how = "must be asked for" if record.access == "form" else "can only be had with a browser"
    files = f"its files ({', '.join(names)})" if names else "its files, packed or unpacked,"
    terms = f" {record.terms}" if record.terms else ""
    return (
        f"{source}: the dataset {how} at {record.page}; put {files} into {root}, where {', '.join(missing)} is missing, and run"
        f" again.{terms}"
    )
