"""The exception that users are meant to read, and the hints in its messages."""

import contextlib
import difflib
import errno
import re
from collections.abc import Iterable, Iterator

_MACHINE = {
    errno.ENOSPC: "no space is left on the disk; make room and run again",
    errno.EDQUOT: "the disk quota is used up; delete files or ask for more, and run again",
    errno.EROFS: "the file system is read-only; choose another folder, or mount it with write access",
    errno.EFBIG: "the file is larger than this disk or ulimit -f allows; raise it or use another disk",
    errno.EMFILE: "too many files are open; raise the limit with ulimit -n and run again",
    errno.ENFILE: "this machine has too many open files; close other programs and run again",
    errno.EIO: "the disk reported an error; check it (dmesg shows the cause) and run again",
    errno.ESTALE: "the network file system lost the file; mount it again and run again",
    errno.EACCES: "this user has no permission; change the permissions or choose another folder",
    errno.ENAMETOOLONG: "the name is longer than the file system allows; shorten it",
    errno.ELOOP: "links on the way lead back to themselves; correct them",
    errno.ENOTDIR: "a part of the path is a file where a folder is expected; correct the path",
    errno.EEXIST: "a file is in the way of a folder; remove it, or correct the path",
    errno.EISDIR: "is a folder where a file is expected; correct the path",
    errno.EPERM: "this user has no permission; change the permissions or choose another folder",
}


class InputError(ValueError):
    """Invalid user input; the message is one sentence: which file or key, what was expected, what to do."""


def nearest(word: str, known: Iterable[str]) -> str:
    """A hint that names the known word closest to `word`, or all known words when none is close."""
    known = list(known)
    close = difflib.get_close_matches(word, known, n=1, cutoff=0.5)
    return f"did you mean {close[0]!r}?" if close else f"known are {', '.join(sorted(known))}."


def machine_fault(error: BaseException, file: object = None) -> InputError | None:
    """What a disk or a limit of the machine refused, as one sentence; None for any other error.

    Args:
        error: The error. Libraries that are not written in Python name its number in the text alone.
        file: The file that was read or written; default: the one that the error names.
    """
    number = error.errno if isinstance(error, OSError) else None
    if number is None and (named := re.search(r"os error (\d+)", str(error))):
        number = int(named[1])
    if number not in _MACHINE:
        return None
    named_file = file or getattr(error, "filename", None)
    return InputError(f"{named_file}: {_MACHINE[number]}." if named_file else f"{_MACHINE[number].capitalize()}.")


@contextlib.contextmanager
def machine_faults_named() -> Iterator[None]:
    """Turn an `OSError` that is a fault of the machine into an `InputError`, see `machine_fault`.

    Raises:
        InputError: A disk or a limit of the machine refused something.
    """
    try:
        yield
    except OSError as error:
        if fault := machine_fault(error):
            raise fault from None
        raise
