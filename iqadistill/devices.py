"""The device that a job computes on.

Snakemake counts GPUs but assigns none: two local GPU jobs would both use the first card. A job that a scheduler gave
no card leases one with a file lock, which the operating system releases when the job ends, however it ends. File
locks of this kind exist on Linux and macOS.
"""

import contextlib
import fcntl
import itertools
import os
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from iqadistill.errors import InputError

POLL_SECONDS = 0.5
DRIVERS = ("/dev/nvidiactl", "/dev/dxg", "/dev/kfd")  # NVIDIA, NVIDIA in WSL, AMD


@contextlib.contextmanager
def lease_device(device: str, count: int = 1) -> Iterator[str]:
    """Hold a device, or several cards, while the job computes.

    Args:
        device: "cpu"; "cuda" (a card or an error); "auto" (a card if there is one).
        count: Number of cards to hold, unless the device is "cpu".

    Yields:
        "cpu" or "cuda:N"; "cuda" if several cards are held, which are then the only ones in CUDA_VISIBLE_DEVICES. If
        CUDA_VISIBLE_DEVICES is already set, by a scheduler or the user, the first visible cards are used without a
        lease; otherwise cards that no other job of this machine leases, after waiting for them if necessary.

    Raises:
        InputError: "cuda" is given and no card is usable, or more cards are granted than there are.
    """
    cards = _count_cards() if device != "cpu" else 0
    if device == "cuda" and not cards:
        raise InputError("device: cuda is set but no CUDA device is usable; set it to auto or cpu.")
    if not cards:
        yield "cpu"
        return
    if count > cards:
        raise InputError(f"gpu: {count} cards were granted to the job, {cards} can be used; request fewer.")
    visible = os.environ.get("CUDA_VISIBLE_DEVICES")
    with contextlib.nullcontext(range(count)) if visible else lease_cards(count, cards) as held:
        if count == 1:
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


def _count_cards() -> int:
    """Usable cards; without a driver there is none, and PyTorch, which takes seconds to import, is not asked."""
    if not any(Path(node).exists() for node in DRIVERS):
        return 0
    import torch

    return torch.cuda.device_count()


@contextlib.contextmanager
def lease_cards(count: int, cards: int, folder: Path | None = None) -> Iterator[list[int]]:
    """Hold the locks of the first free cards, after waiting until enough are free; while waiting it holds none.

    Args:
        count: Number of cards to hold.
        cards: Number of cards of this machine.
        folder: Folder of the lock files; default: one per user in the system's temporary folder.
    """
    folder = folder or Path(tempfile.gettempdir()) / f"iqadistill-leases-{os.getuid()}"
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    while True:
        with contextlib.ExitStack() as held:
            free = (card for card in range(cards) if _lock(folder / f"cuda{card}", held))
            leased = list(itertools.islice(free, count))
            if len(leased) == count:
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
