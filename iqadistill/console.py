"""Output of a job: its log file, its progress, its errors of one sentence."""

import contextlib
import os
import sys
import time
import warnings
from collections.abc import Callable, Iterable, Iterator, Sized
from pathlib import Path
from typing import TypeVar

from tqdm import tqdm

from iqadistill.errors import InputError, machine_faults_named

T = TypeVar("T")


@contextlib.contextmanager
def job_log(path: str | Path) -> Iterator[None]:
    """Redirect everything that the job writes, native libraries included, to its log file.

    A warning is one line. An `InputError`, and an `OSError` of a full or failing disk, end the job with exit status
    1 and one sentence as the last line of the log; any other exception keeps its traceback.
    """
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    with open(path, "w", buffering=1) as log:
        sys.stdout.flush(), sys.stderr.flush()
        os.dup2(log.fileno(), 1)
        os.dup2(log.fileno(), 2)
        try:
            with plain_warnings(), machine_faults_named():
                yield
        except InputError as error:
            print(f"error: {error}", file=sys.stderr, flush=True)
            sys.exit(1)


@contextlib.contextmanager
def plain_warnings() -> Iterator[None]:
    """Print warnings as one sentence, without the line of code that they come from."""
    before = warnings.formatwarning
    warnings.formatwarning = lambda message, *_: f"warning: {message}\n"
    try:
        yield
    finally:
        warnings.formatwarning = before


def progress(items: Iterable[T], label: str, total: int | None = None) -> Iterator[T]:
    """Iterate with a progress bar on a terminal, or with a line per tenth of the items in a log file."""
    if sys.stderr.isatty():
        yield from tqdm(items, desc=label, total=total)
        return
    if total is None and isinstance(items, Sized):
        total = len(items)
    report = _line_every_tenth(label, total)
    for done, item in enumerate(items, start=1):
        yield item
        report(done)


@contextlib.contextmanager
def byte_progress(label: str, total: int | None = None, done: int = 0) -> Iterator[Callable[[int], None]]:
    """Count bytes with a progress bar on a terminal, or with a line per tenth of them in a log file.

    Args:
        label: Name of the data.
        total: Total number of bytes, if known.
        done: Number of bytes that are there at the start.

    Yields:
        A function to call with the number of bytes that arrived.
    """
    if sys.stderr.isatty():
        with tqdm(desc=label, total=total, initial=done, unit="B", unit_scale=True) as bar:
            yield bar.update
        return
    report = _line_every_tenth(label, total)

    def advance(count: int) -> None:
        nonlocal done
        done += count
        report(done)

    yield advance


def _line_every_tenth(label: str, total: int | None) -> Callable[[int], None]:
    """A function that prints progress when it is called with what is done; without a total it prints nothing."""
    started, tenths = time.monotonic(), 0

    def report(done: int) -> None:
        nonlocal tenths
        if total and done * 10 // total > tenths:
            print(f"{label}: {done}/{total} in {time.monotonic() - started:.1f} s", file=sys.stderr, flush=True)
            tenths = done * 10 // total

    return report
