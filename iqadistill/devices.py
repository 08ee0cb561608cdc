"""Which device a job computes on.

Snakemake counts GPUs but hands none out: two local GPU jobs would both land on the first card. A job to which no scheduler
gave a card leases one with a file lock, which the operating system releases when the job ends, however it ends.
"""

import contextlib
import fcntl
import os
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import torch

from iqadistill.errors import InputError

POLL_SECONDS = 0.5


@contextlib.contextmanager
def lease_device(device: str) -> Iterator[str]:
    """Hold a device while the job computes.

    Args:
        device: "cpu"; "cuda" (a card or an error); "auto" (a card where there is one).

    Yields:
        "cpu" or "cuda:N". With CUDA_VISIBLE_DEVICES set, by a scheduler or the user, it is the first visible card and no
        lease is taken; otherwise the first card no other job of this machine leases, waiting for one if need be.

    Raises:
        InputError: "cuda" was asked for and no card is usable.
    """
    cards = torch.cuda.device_count() if device != "cpu" else 0
    if device == "cuda" and not cards:
        raise InputError("device: the study says cuda but no CUDA device is usable; set it to auto or cpu.")
    if not cards:
        yield "cpu"
    elif os.environ.get("CUDA_VISIBLE_DEVICES"):
        yield "cuda:0"
    else:
        with lease_card(cards) as card:
            yield f"cuda:{card}"


@contextlib.contextmanager
def lease_card(cards: int, folder: Path | None = None) -> Iterator[int]:
    """Hold the lock of the first free card among `cards`, waiting until one is free.

    Args:
        cards: Cards of this machine.
        folder: Where the lock files lie; default: one folder a user under the system's temporary files.
    """
    folder = folder or Path(tempfile.gettempdir()) / f"iqadistill-leases-{os.getuid()}"
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    with contextlib.ExitStack() as held:
        card = None
        while card is None:
            card = next((number for number in range(cards) if _lock(folder / f"cuda{number}", held)), None)
            if card is None:
                time.sleep(POLL_SECONDS)
        yield card


def _lock(path: Path, held: contextlib.ExitStack) -> bool:
    with contextlib.ExitStack() as attempt:
        file = attempt.enter_context(open(path, "w"))
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        held.enter_context(attempt.pop_all())
    return True
