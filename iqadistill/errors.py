"""The exception that users are meant to read, and the hints in its messages."""

import difflib
from collections.abc import Iterable


class InputError(ValueError):
    """Invalid user input; the message is one sentence: which file or key, what was expected, what to do."""


def nearest(word: str, known: Iterable[str]) -> str:
    """A hint that names the known word closest to `word`, or all known words when none is close."""
    known = list(known)
    close = difflib.get_close_matches(word, known, n=1, cutoff=0.5)
    return f"did you mean {close[0]!r}?" if close else f"known are {', '.join(sorted(known))}."
