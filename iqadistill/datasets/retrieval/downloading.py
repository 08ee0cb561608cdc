"""Downloads that resume after an interruption: received bytes are kept in a part file and only the rest is requested.

pooch and urllib download an interrupted file from the beginning, which for tens of gigabytes from slow servers may
never finish; so byte ranges are requested here, on top of requests.
"""

import contextlib
import json
import re
import shutil
import time
from collections.abc import Iterable, Iterator
from email.utils import formatdate
from pathlib import Path
from typing import NamedTuple
from urllib.parse import urlsplit
from urllib.request import url2pathname

import requests

from iqadistill.atomic_writing import write_atomically
from iqadistill.console import byte_progress
from iqadistill.errors import InputError

ATTEMPTS = 5  # in a row without receiving a byte
PAUSE = 1.0  # seconds before the second attempt; twice as long before each further one
TIMEOUT = (15, 60)  # seconds until a server answers, and between two pieces
PART = ".part"
_CHUNK = 1 << 18
_AGAIN = (408, 429, 500, 502, 503, 504)


class Answer(NamedTuple):
    """A server's answer.

    Attributes:
        start: Position of the first byte that it sends.
        total: Size of the complete file, where known.
        version: The server's version of the file (ETag or date).
        pieces: The bytes.
    """

    start: int
    total: int | None
    version: str | None
    pieces: Iterator[bytes]


class _Unavailable(Exception):
    """An address does not serve the file, and another attempt would not change that."""


def download(urls: Iterable[str], target: Path) -> str:
    """Download a file, resuming an earlier download.

    The bytes are collected in `target` with the suffix .part; the file gets its name when it is complete. An
    interrupted download resumes if the server still has the same version of the file, and starts from the beginning
    otherwise. The address stays beside the file until `settle`, for a kill may come before anyone has recorded it.

    Args:
        urls: Addresses (http, https, file) tried one after the other.
        target: Path of the file to write.

    Returns:
        The address the file came from.

    Raises:
        InputError: No address serves the complete file, or the disk has no room for it.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    failures = []
    for url in urls:
        try:
            _fetch(url, target)
            return url
        except _Unavailable as failure:
            failures.append(f"{url}: {failure}")
    part = _part(target)
    kept = f" (its first {part.stat().st_size} bytes are kept)" if part.exists() else ""
    raise InputError(
        f"{target}: cannot be downloaded from {'; '.join(failures)}; "
        f"run again later{kept}, or put the file there yourself."
    )


def downloaded_from(target: Path) -> str | None:
    """Address of a downloaded file that was not settled; None for one that was put there by hand."""
    part = _part(target)
    return None if part.exists() else _read_note(part).get("url")


def settle(target: Path) -> None:
    """Forget the address of a downloaded file."""
    if not _part(target).exists():
        _note(_part(target)).unlink(missing_ok=True)


def _fetch(url: str, target: Path) -> None:
    part, failed = _part(target), 0
    while True:
        before = _received(part)
        try:
            if _append(url, part):
                part.replace(target)
                return
            problem = "the connection ended early"
        except requests.exceptions.SSLError:
            raise _Unavailable("its certificate is not accepted") from None
        except requests.RequestException as error:
            problem = _reason(error)
        failed = 0 if _received(part) > before else failed + 1
        if failed >= ATTEMPTS:
            raise _Unavailable(problem)
        time.sleep(PAUSE * 2 ** max(0, failed - 1))


def _append(url: str, part: Path) -> bool:
    """Request the missing bytes and append them; returns whether the file is complete."""
    note = _read_note(part)
    if note.get("url") != url:
        _discard(part)
        note = {}
    with _open(url, _received(part), note.get("version")) as answer:
        if answer.start != _received(part) or (answer.start and answer.total != note.get("total")):
            _discard(part)
            if answer.start:
                return False  # a part of another version: request again, from the beginning
        new_note = json.dumps({"url": url, "version": answer.version, "total": answer.total})
        write_atomically(_note(part), lambda temporary: temporary.write_text(new_note))
        _check_room(part, answer)
        with open(part, "ab") as file, byte_progress(part.stem, answer.total, answer.start) as advance:
            for piece in answer.pieces:
                file.write(piece)
                file.flush()
                advance(len(piece))
    return answer.total is None or _received(part) == answer.total


@contextlib.contextmanager
def _open(url: str, start: int, version: str | None) -> Iterator[Answer]:
    opener = _open_file if urlsplit(url).scheme == "file" else _open_http
    with opener(url, start, version) as answer:
        yield answer


@contextlib.contextmanager
def _open_http(url: str, start: int, version: str | None) -> Iterator[Answer]:
    headers = {"Accept-Encoding": "identity"}
    if start:
        headers |= {"Range": f"bytes={start}-"} | ({"If-Range": version} if version else {})
    with requests.get(url, headers=headers, stream=True, timeout=TIMEOUT) as response:
        if response.status_code == 416:  # no bytes after the received ones: they are complete, or of another version
            complete = int(response.headers.get("Content-Range", "*/-1").rpartition("/")[2])
            yield Answer(start if complete == start else 0, start, version, iter(()))
            return
        if response.status_code in _AGAIN:
            response.raise_for_status()
        if response.status_code not in (200, 206):
            raise _Unavailable(f"HTTP {response.status_code} {response.reason}")
        if response.headers.get("Content-Type", "").startswith("text/html"):
            raise _Unavailable("a web page instead of the file")
        span = re.match(r"bytes (\d+)-\d+/(\d+)$", response.headers.get("Content-Range", ""))
        length = response.headers.get("Content-Length")
        begin, total = (int(span[1]), int(span[2])) if span else (0, int(length) if length else None)
        etag = response.headers.get("ETag", "")
        # a weak tag does not promise equal bytes
        version = etag if etag and not etag.startswith("W/") else response.headers.get("Last-Modified")
        yield Answer(begin, total, version, response.iter_content(_CHUNK))


@contextlib.contextmanager
def _open_file(url: str, start: int, version: str | None) -> Iterator[Answer]:
    path = Path(url2pathname(urlsplit(url).path))
    if not path.is_file():
        raise _Unavailable("no such file")
    facts = path.stat()
    current = formatdate(facts.st_mtime, usegmt=True)
    start = start if version == current else 0
    with open(path, "rb") as file:
        file.seek(start)
        yield Answer(start, facts.st_size, current, iter(lambda: file.read(_CHUNK), b""))


def _check_room(part: Path, answer: Answer) -> None:
    missing = (answer.total or 0) - answer.start
    free = shutil.disk_usage(part.parent).free
    if missing > free:
        raise InputError(
            f"{part.with_suffix('')}: {missing} bytes are still missing but only {free} are free there; make room."
        )


def _reason(error: requests.RequestException) -> str:
    if isinstance(error, requests.Timeout):
        return "no answer in time"
    if isinstance(error, requests.ConnectionError):
        return "no connection"
    if isinstance(error, requests.HTTPError) and error.response is not None:
        return f"HTTP {error.response.status_code} {error.response.reason}"
    return "the connection ended early"


def _part(target: Path) -> Path:
    return target.with_name(target.name + PART)


def _note(part: Path) -> Path:
    """File next to a part with its address and the version of the complete file."""
    return part.with_name(part.name + ".json")


def _read_note(part: Path) -> dict:
    try:
        return json.loads(_note(part).read_text()) if _note(part).is_file() else {}
    except ValueError:  # damaged: the download begins again
        return {}


def _received(part: Path) -> int:
    return part.stat().st_size if part.exists() else 0


def _discard(part: Path) -> None:
    part.unlink(missing_ok=True)
    _note(part).unlink(missing_ok=True)
