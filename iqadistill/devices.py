"""The device that a job computes on.

Snakemake counts GPUs but assigns none: two local GPU jobs would both use the first card. A job that a scheduler gave
no card leases one with a file lock, which the operating system releases when the job ends, however it ends. File
locks of this kind exist on Linux and macOS.
"""

import contextlib
import errno
import fcntl
import itertools
import os
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from iqadistill.errors import InputError

POLL_SECONDS = 0.5
ALLOCATIONS = ("SLURM_JOB_ID", "PBS_JOBID", "LSB_JOBID")
DRIVERS = ("/dev/nvidiactl", "/dev/dxg", "/dev/kfd")  # NVIDIA, NVIDIA in WSL, AMD


@contextlib.contextmanager
def lease_device(device: str, count: int = 1) -> Iterator[str]:
    """Hold a device, or several cards, while the job computes.

    Args:
        device: "cpu"; "cuda" (a card or an error); "auto" (a card if there is one).
        count: Number of cards to hold, unless the device is "cpu".

    Yields:
        "cpu" or "cuda:N"; "cuda" if several cards are held, which are then the only ones in CUDA_VISIBLE_DEVICES. If
        CUDA_VISIBLE_DEVICES names as many cards as are to be held, as a scheduler sets it, they are used without a
        lease. Otherwise they are cards, of those that it names where it is set, that no other job of this machine
        leases, after waiting for them if necessary. An empty CUDA_VISIBLE_DEVICES hides all cards, as CUDA reads it.

    Raises:
        InputError: "cuda" is given and no card is usable, CUDA_VISIBLE_DEVICES names a card that is not there, more
            cards are granted than there are, or cards cannot be leased in the folder of the lock files.
    """
    visible = os.environ.get("CUDA_VISIBLE_DEVICES")
    parts = _parts(visible or "")
    if device != "cpu" and count == 1 and len(parts) > 1 and _has_driver():
        with lease_cards(1, _scoped(parts)) as (part,), _only_visible(parts[part]), lease_device(device) as leased:
            yield leased
        return
    cards = usable_cards(device)
    if not cards:
        yield "cpu"
        return
    if count > cards:
        raise InputError(f"gpu: {count} cards were granted to the job, {cards} can be used; request fewer.")
    names = (_names(visible) if visible else [str(card) for card in range(cards)])[:cards]
    assigned = visible and len(names) == count
    with contextlib.nullcontext(range(count)) if assigned else lease_cards(count, _scoped(names)) as held:
        if count == 1:
            yield f"cuda:{held[0]}"
            return
        with _only_visible(",".join(names[card] for card in held)):
            yield "cuda"


@contextlib.contextmanager
def _only_visible(names: str) -> Iterator[None]:
    """Show CUDA some cards alone, unless it has looked for cards already; programs that are started see them alone."""
    before = os.environ.get("CUDA_VISIBLE_DEVICES")
    os.environ["CUDA_VISIBLE_DEVICES"] = names
    try:
        yield
    finally:
        if before is None:
            del os.environ["CUDA_VISIBLE_DEVICES"]
        else:
            os.environ["CUDA_VISIBLE_DEVICES"] = before


def usable_cards(device: str) -> int:
    """Number of cards that jobs can use.

    Args:
        device: "cpu"; "cuda" (a card or an error); "auto" (a card if there is one).

    Raises:
        InputError: "cuda" is given and no card is usable, or CUDA_VISIBLE_DEVICES names a card that is not there.
    """
    visible = os.environ.get("CUDA_VISIBLE_DEVICES")
    cards = _count_cards() if device != "cpu" else 0
    if device == "cuda" and not cards:
        hidden = f" (CUDA_VISIBLE_DEVICES is {visible!r})" if visible is not None else ""
        raise InputError(f"device: cuda is set but no CUDA device is usable{hidden}; set it to auto or cpu.")
    # CUDA takes the names up to the first that it does not know; which cards were meant is then open.
    if cards and visible and cards < len(named := _names(visible)) and not _parts(visible):
        raise InputError(
            f"CUDA_VISIBLE_DEVICES={visible} names {len(named)} cards, {cards} can be used; correct or unset it."
        )
    return cards


def _names(visible: str) -> list[str]:
    """Cards named in CUDA_VISIBLE_DEVICES: numbers, UUIDs of cards, or of parts of cards (MIG); -1 ends the list."""
    names = (name.strip() for name in visible.split(","))
    return list(itertools.takewhile(lambda name: name not in ("", "-1"), names))


def _parts(visible: str) -> list[str]:
    """The names, if all are parts of cards (MIG), of which CUDA shows a process the first alone."""
    names = _names(visible)
    return names if all(name.startswith("MIG-") for name in names) else []


def _scoped(names: list[str]) -> list[str]:
    """Names that mean the same card for all jobs of this machine: schedulers number those of each allocation anew."""
    allocation = next((os.environ[name] for name in ALLOCATIONS if os.environ.get(name)), "")
    return [f"{name}-{allocation}" for name in names] if allocation else names


def _has_driver() -> bool:
    return any(Path(node).exists() for node in DRIVERS)


def _count_cards() -> int:
    """Usable cards; without a driver there is none, and PyTorch, which takes seconds to import, is not asked."""
    if not _has_driver():
        return 0
    import torch

    return torch.cuda.device_count()


@contextlib.contextmanager
def lease_cards(count: int, names: Sequence[str], folder: Path | None = None) -> Iterator[list[int]]:
    """Hold the locks of the first free cards, after waiting until enough are free; while waiting it holds none.

    Args:
        count: Number of cards to hold.
        names: Names of the cards to choose from; what has the same name is the same card for all jobs of this machine.
        folder: Folder of the lock files; default: one per user in the system's temporary folder.

    Yields:
        Positions of the held cards among the names.

    Raises:
        InputError: The folder cannot be made or written to, or its file system has no file locks.
    """
    folder = folder or Path(tempfile.gettempdir()) / f"iqadistill-leases-{os.getuid()}"
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise _no_lease(folder, error) from None
    while True:
        with contextlib.ExitStack() as held:
            free = (card for card, name in enumerate(names) if _lock(folder / f"cuda{name.replace('/', '_')}", held))
            leased = list(itertools.islice(free, count))
            if len(leased) == count:
                yield leased
                return
        time.sleep(POLL_SECONDS)


def _lock(path: Path, held: contextlib.ExitStack) -> bool:
    with contextlib.ExitStack() as attempt:
        try:
            file = attempt.enter_context(open(path, "w"))
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        except OSError as error:
            raise _no_lease(path, error) from None
        held.enter_context(attempt.pop_all())
    return True


def _no_lease(path: Path, error: OSError) -> InputError:
    locks = error.errno in (errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP)
    reason = "its file system has no file locks" if locks else (error.strerror or str(error)).lower()
    return InputError(
        f"No card can be leased with {path}: {reason}; set TMPDIR to a folder of yours on a local disk, the same one "
        "for all jobs, or CUDA_VISIBLE_DEVICES to the card to use."
    )
