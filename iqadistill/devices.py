"""Which device a job computes on.

Snakemake counts GPUs but hands none out: two local GPU jobs would both land on the first card. A job to which no scheduler
gave a card leases one with a file lock, which the operating system releases when the job ends, however it ends.
"""

import contextlib
import fcntl
import itertools
import os
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import torch

from iqadistill.errors import InputError

POLL_SECONDS = 0.5


@contextlib.contextmanager
def lease_device(device: str, number: int = 1) -> Iterator[str]:
    """Hold a device, or several cards, while the job computes.

    Args:
        device: "cpu"; "cuda" (a card or an error); "auto" (a card where there is one).
        number: Cards to hold, where the device is not "cpu".

    Yields:
        "cpu" or "cuda:N", or "cuda" where several cards are held: CUDA_VISIBLE_DEVICES then names just these. With
        CUDA_VISIBLE_DEVICES set already, by a scheduler or the user, the first visible cards are taken without a lease;
        otherwise cards no other job of this machine leases, waiting for them if need be.

    Raises:
        InputError: "cuda" was asked for and no card is usable, or more cards than there are.
    """
    cards = torch.cuda.device_count() if device != "cpu" else 0
    if device == "cuda" and not cards:
        raise InputError("device: the study says cuda but no CUDA device is usable; set it to auto or cpu.")
    if not cards:
        yield "cpu"
        return
    if number > cards:
        raise InputError(f"gpu: {number} cards were granted to the job, {cards} can be used; ask for fewer.")
    visible = os.environ.get("CUDA_VISIBLE_DEVICES")
    with contextlib.nullcontext(range(number)) if visible else lease_cards(number, cards) as held:
        if number == 1:
            yield f"cuda:{held[0]}"
            return
        names = visible.split(",") if visible else range(cards)
        os.environ["CUDA_VISIBLE_DEVICES"] = ",".join(str(names[card]) for card in held)
        try:
            yield "cuda"
        finally:
            os.environ["CUDA_VISIBLE_DEVICES"] = visible or ""
            if not visible:
                del os.environ["CUDA_VISIBLE_DEVICES"]


@contextlib.contextmanager
def lease_cards(number: int, cards: int, folder: Path | None = None) -> Iterator[list[int]]:
    """Hold the locks of the first free cards, waiting until so many are free; while it waits it holds none.

    Args:
        number: Cards to hold.
        cards: Cards of this machine.
        folder: Where the lock files lie; default: one folder a user under the system's temporary files.
    """
    folder = folder or Path(tempfile.gettempdir()) / f"iqadistill-leases-{os.getuid()}"
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    while True:
        with contextlib.ExitStack() as held:
            free = (card for card in range(cards) if _lock(folder / f"cuda{card}", held))
            leased = list(itertools.islice(free, number))
            if len(leased) == number:
                yield leased
                return
        time.sleep(POLL_SECONDS)


def _lock(path: Path, held: contextlib.ExitStack) -> bool:
    with contextlib.ExitStack() as attempt:
        file = attempt.enter_context(open(path, "w"))
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        held.enter_context(attempt.pop_all())
    return True
