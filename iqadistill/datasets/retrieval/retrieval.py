"""Retrieval of a dataset's official files: downloaded, or found in its folder, and unpacked."""

import os
import shutil
import warnings
from collections.abc import Iterable, Mapping
from pathlib import Path, PurePosixPath
from typing import Any
from urllib.parse import quote, unquote, urlsplit

from iqadistill.datasets.fingerprint import folder_fingerprint
from iqadistill.datasets.registry import ArchiveRecord, DatasetRecord, dataset_record
from iqadistill.datasets.retrieval.archives import is_archive
from iqadistill.datasets.retrieval.checksums import check_file, forget_file, read_locks
from iqadistill.datasets.retrieval.downloading import PART, download, downloaded_from, settle
from iqadistill.datasets.retrieval.entries import UnusableArchive
from iqadistill.datasets.retrieval.unpacking import unpack
from iqadistill.errors import InputError
from iqadistill.paths import expand

UNPACKING = ".unpacking"  # folder; removed where nothing of it was moved into place
MOVING = ".moving"  # file; as long as it exists some files are in place and others are not
# default limit of what an archive may unpack to: images hardly compress, so this is ample for data but not for bombs
LIMIT_RATIO = 20  # to the archive's size
LOWEST_LIMIT = 256 << 20  # bytes


def retrieve_dataset(source: str, root: str | Path, *, url: str | None = None) -> dict[str, Any]:
    """Make sure that a dataset's official files are unpacked in a folder.

    A folder that has them is left as it is. Otherwise the official files that are missing are downloaded, and all are
    compared with their known checksums and unpacked. The folder counts as unpacked only once everything is in place, so
    an interrupted run resumes where it stopped.

    Args:
        source: Name in `list_datasets()` of a dataset that comes as an archive.
        root: The folder, as a user writes it (see `paths.expand`).
        url: A mirror to use instead of the official addresses: a folder (http, https or file) with the official files,
            or one archive with the complete dataset.

    Returns:
        source; files: bytes, sha256, url and when of each official file, as first seen; fingerprint of the unpacked
        folder (see `folder_fingerprint`).

    Raises:
        InputError: There is no such dataset; its files must be requested from the authors; a file cannot be downloaded,
            differs from its known checksum or cannot be unpacked; something is missing after unpacking.
    """
    record, root = dataset_record(source), Path(expand(str(root)))
    if record.origin != "archive":
        raise InputError(f"dataset {source!r} does not come as an archive, so there is nothing to retrieve; index it.")
    if not is_unpacked(record, root):
        _fetch(source, record, root, url)
        nested = [] if is_unpacked(record, root) else _unpack(source, record, root)
        if missing := _missing(record, root):
            raise InputError(_request(source, record, root, missing, nested))
    return {"source": source, "files": read_locks(source), "fingerprint": folder_fingerprint(root)}


def dataset_status(record: DatasetRecord, root: Path) -> str:
    """State of a dataset's folder: "ready", "partial download", "archive present" or "missing"."""
    if is_unpacked(record, root):
        return "ready"
    if any(root.glob(f"*{PART}")):
        return "partial download"
    return "archive present" if _archives(record, root) else "missing"


def is_unpacked(record: DatasetRecord, root: Path) -> bool:
    """Whether a folder has all that a dataset's record lists, or an images.csv, and no unpacking is unfinished."""
    if (root / UNPACKING).exists() or (root / MOVING).exists():
        return False
    return (root / "images.csv").is_file() or not _missing(record, root)


def _missing(record: DatasetRecord, root: Path) -> list[str]:
    """Patterns that match nothing at the top of the folder or one folder below."""
    return [pattern for pattern in record.holds if not any(_matches(root, pattern))]


def _matches(root: Path, pattern: str) -> Iterable[Path]:
    return (path for base in ("", "*/") for path in root.glob(base + pattern) if not is_archive(path.name))


def _archives(record: DatasetRecord, root: Path) -> list[Path]:
    """Archives in the folder: those of the record, and of any name for a dataset that is not downloaded."""
    named = [root / archive.name for archive in record.archives]
    others = sorted(root.glob("*")) if record.access != "open" or not any(file.is_file() for file in named) else []
    return [file for file in dict.fromkeys([*named, *others]) if file.is_file() and is_archive(file.name)]


def _fetch(source: str, record: DatasetRecord, root: Path, url: str | None) -> None:
    """Download missing files, and compare all with their known checksums."""
    for archive in _mirrored(source, record, url) if url else record.archives:
        file = root / archive.name
        if archive.urls and not file.is_file():
            download(archive.urls, file)
        if file.is_file():
            try:
                check_file(source, archive, file, downloaded_from(file))
            except InputError:
                settle(file)
                raise
            settle(file)


def _mirrored(source: str, record: DatasetRecord, url: str) -> list[ArchiveRecord]:
    """The official files with their addresses on a mirror, or the single archive that the mirror is."""
    name = unquote(Path(urlsplit(url).path).name)
    if is_archive(name):
        known = {archive.name: archive for archive in record.archives}
        return [known.get(name, ArchiveRecord(name=name)).model_copy(update={"urls": (url,)})]
    if not record.archives:
        raise InputError(
            f"{source}: the official files of this dataset have no fixed names; give the url of one archive."
        )
    return [a.model_copy(update={"urls": (f"{url.rstrip('/')}/{quote(a.name)}",)}) for a in record.archives]


def _unpack(source: str, record: DatasetRecord, root: Path) -> list[str]:
    """Unpack every archive into a temporary folder, and move the files into place once all are unpacked.

    Returns:
        Archives that were in the archives.
    """
    known = {archive.name: archive for archive in record.archives}
    archives, temporary = _archives(record, root), root / UNPACKING
    if not archives:
        return []
    shutil.rmtree(temporary, ignore_errors=True)
    try:
        nested = _unpack_all(source, archives, known, temporary)
    except InputError:
        shutil.rmtree(temporary, ignore_errors=True)  # what the user unpacks instead will count
        raise
    (root / MOVING).touch()
    around = _folder_around(record, [temporary / file.name for file in archives])
    for file in archives:
        _move(temporary / file.name / around, root)
    os.sync()  # flush the files before they are declared complete
    shutil.rmtree(temporary)
    (root / MOVING).unlink()
    return nested


def _folder_around(record: DatasetRecord, folders: list[Path]) -> str:
    """Folder that all archives hold alone, and images.csv in it, whose paths begin there; empty for none."""
    around = PurePosixPath()
    while record.labels is None and not any((folder / around / "images.csv").is_file() for folder in folders):
        inside = {path.name for folder in folders for path in (folder / around).glob("*")}
        if len(inside) != 1:
            return ""
        around /= inside.pop()
    return str(around)


def _unpack_all(source: str, archives: list[Path], known: Mapping[str, ArchiveRecord], temporary: Path) -> list[str]:
    """Unpack each archive into a folder of its name in the temporary one; returns the archives in them."""
    nested = []
    for file in archives:
        archive = known.get(file.name, ArchiveRecord(name=file.name))
        if file.name not in known:
            check_file(source, archive, file, None)
        limit = archive.unpacked or max(LIMIT_RATIO * file.stat().st_size, LOWEST_LIMIT)
        folder = temporary / file.name
        folder.mkdir(parents=True)
        try:
            unpack(file, folder, limit, archive.names)
            if (folder / file.name).exists():
                raise UnusableArchive(
                    f"{file}: holds a file of its own name; put that one in its place, then run again."
                )
        except UnusableArchive:
            forget_file(source, file.name)
            raise
        nested += _warn_of_nested(file, folder)
        if archive.folder and not (folder / archive.folder).is_dir():
            (folder / archive.folder).mkdir()
            for path in [path for path in folder.iterdir() if path.name != archive.folder]:
                path.rename(folder / archive.folder / path.name)
    return nested


def _warn_of_nested(archive: Path, folder: Path) -> list[str]:
    nested = sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if is_archive(path.name))
    if nested:
        more = f" and {len(nested) - 3} more" if len(nested) > 3 else ""
        warnings.warn(
            f"{archive}: holds archives itself ({', '.join(nested[:3])}{more}), which are not unpacked; "
            f"where images are missing, unpack them yourself in {archive.parent}.",
            stacklevel=2,
        )
    return nested


def _move(folder: Path, root: Path) -> None:
    for path in sorted(folder.rglob("*")):
        if path.is_file():
            target = root / path.relative_to(folder)
            target.parent.mkdir(parents=True, exist_ok=True)
            path.replace(target)


def _request(source: str, record: DatasetRecord, root: Path, missing: list[str], nested: list[str]) -> str:
    """Message about files that the user must get: where to ask, which files, which folder."""
    if nested:
        return (
            f"{root}: {source} is unpacked but {', '.join(missing)} is missing, perhaps in {nested[0]}, an archive in "
            "the archive; unpack it there, then run again."
        )
    if record.access == "open":
        return f"{root}: {source} is unpacked but {', '.join(missing)} is missing; delete the folder to get it again."
    names = [archive.name for archive in record.archives]
    how = "must be requested" if record.access == "form" else "can only be downloaded with a browser"
    files = f"its files ({', '.join(names)})" if names else "its files, packed or unpacked,"
    terms = f" {record.terms}" if record.terms else ""
    return (
        f"{source}: the dataset {how} at {record.page}; "
        f"put {files} into {root}, where {', '.join(missing)} is missing, and run again.{terms}"
    )
