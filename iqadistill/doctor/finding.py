"""What a check found."""

from typing import Literal, NamedTuple

State = Literal["ok", "warning", "problem"]


class Finding(NamedTuple):
    """Result of a check.

    Attributes:
        state: ok; warning, if something may go wrong; problem, if something will.
        subject: What was checked.
        text: What was found, and what to do about it.
    """

    state: State
    subject: str
    text: str


def gigabytes(size: float) -> str:
    """A number of bytes as text, as `iqadistill cost` shows it."""
    return f"{size / 1e9:,.1f} GB"


def listed(names: list[str], shown: int = 5) -> str:
    """Names separated by commas, the first few of many."""
    more = f" and {len(names) - shown} more" if len(names) > shown else ""
    return ", ".join(names[:shown]) + more
