"""Cards that PyTorch can use."""

import os
import warnings
from collections.abc import Iterator
from pathlib import Path

from iqadistill.devices import DRIVERS, usable_cards
from iqadistill.doctor.finding import Finding, gigabytes
from iqadistill.doctor.machine import check_shared_memory
from iqadistill.doctor.software import installed
from iqadistill.errors import InputError

MUCH = 0.5  # of a card's memory; with less free, another program is at work


def check_cards(device: str = "auto") -> Iterator[Finding]:
    """Compute on each card.

    Args:
        device: What the study says: "auto", "cpu" or "cuda".
    """
    if device == "cpu":
        yield Finding("ok", "device", "the CPU, as the study says")
    elif installed("torch"):  # else reported among the packages
        try:
            with warnings.catch_warnings(record=True) as said:
                warnings.simplefilter("always")
                findings = [*_cards(device)]
        except ImportError as error:
            findings = [
                Finding("problem", "device", f"torch cannot be imported ({_first_line(error)}); install it again")
            ]
        yield from findings
        yield from (Finding("warning", "device", _first_line(warning.message)) for warning in said)


def _cards(device: str) -> Iterator[Finding]:
    try:
        cards = usable_cards(device)
    except InputError as error:
        yield Finding("problem", "device", _unusable(str(error)))
        return
    if not cards and any(Path(node).exists() for node in DRIVERS):
        visible = os.environ.get("CUDA_VISIBLE_DEVICES")
        hidden = f" with CUDA_VISIBLE_DEVICES={visible!r}" if visible is not None else ""
        yield Finding(
            "warning", "device", _unusable(f"the CPU; there is a driver, but no card that torch can use{hidden}")
        )
    elif not cards:
        yield Finding("ok", "device", "the CPU; there is no driver of a card")
    yield from map(_card, range(cards))
    yield from check_shared_memory(cards)


def memory_of_cards() -> float:
    """Bytes of memory of the smallest card; 0 without any, or if they cannot be used."""
    try:
        cards = usable_cards("auto")
        if not cards:
            return 0.0
        import torch

        return float(min(torch.cuda.get_device_properties(card).total_memory for card in range(cards)))
    except (InputError, ImportError, RuntimeError):  # reported by `check_cards`
        return 0.0


def _card(index: int) -> Finding:
    """Compute on a card; its name and memory."""
    import torch

    subject = name = f"cuda:{index}"
    try:
        name = torch.cuda.get_device_properties(index).name
        (torch.ones(8, 8, device=subject) @ torch.ones(8, 8, device=subject)).cpu()
        free, total = torch.cuda.mem_get_info(index)
    except RuntimeError as error:
        return Finding("problem", subject, f"{name} does not compute ({_first_line(error)}); see what nvidia-smi says")
    text = f"{name}, {gigabytes(free)} of {gigabytes(total)} free"
    if free >= MUCH * total:
        return Finding("ok", subject, text)
    return Finding("warning", subject, f"{text}; another program uses it, nvidia-smi shows which")


def _unusable(sentence: str) -> str:
    """A sentence with the reason why torch can use no card."""
    import torch

    if torch.version.cuda is None and torch.version.hip is None:
        return f"{sentence.rstrip('.')}; torch {torch.__version__} is built for the CPU, install its build for CUDA"
    try:
        torch.cuda.init()
    except (RuntimeError, AssertionError) as error:
        return f"{sentence.rstrip('.')} ({_first_line(error).rstrip('.')})"
    return sentence


def _first_line(error: object) -> str:
    return str(error).strip().partition("\n")[0]
