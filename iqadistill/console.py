"""What a job prints: its log file, its progress, its one-sentence errors."""

import contextlib
import os
import sys
import time
from collections.abc import Iterable, Iterator
from pathlib import Path

from tqdm import tqdm

from iqadistill.errors import InputError


@contextlib.contextmanager
def job_log(path: str | Path) -> Iterator[None]:
    """Send everything the job writes, native libraries included, to its log file.

    An `InputError` ends the job with its sentence as the log's last line and exit status 1; any other exception keeps its
    traceback.
    """
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    with open(path, "w", buffering=1) as log:
        sys.stdout.flush(), sys.stderr.flush()
        os.dup2(log.fileno(), 1)
        os.dup2(log.fileno(), 2)
        try:
            yield
        except InputError as error:
            print(f"error: {error}", file=sys.stderr, flush=True)
            sys.exit(1)


def progress(items: Iterable, label: str, total: int | None = None) -> Iterator:
    """Iterate with a bar on a terminal, or with a plain line every tenth of the way in a log file."""
    if sys.stderr.isatty():
        yield from tqdm(items, desc=label, total=total)
        return
    total = total if total is not None else len(items)  # type: ignore[arg-type]
    started, tenths = time.monotonic(), 0
    for done, item in enumerate(items, start=1):
        yield item
        if done * 10 // total > tenths:
            print(f"{label}: {done}/{total} in {time.monotonic() - started:.1f} s", file=sys.stderr, flush=True)
            tenths = done * 10 // total
