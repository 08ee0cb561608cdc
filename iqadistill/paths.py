"""Paths as users write them, in study files and on command lines; all are relative to the working folder."""

import argparse
import os
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Annotated
from urllib.parse import quote

from pydantic import AfterValidator, Field

from iqadistill.errors import InputError

_LONGEST_NAME, _LONGEST_PATH = 255, 4095  # bytes, on Linux and macOS


def expand(path: str) -> str:
    """A path with the folder that its start stands for: ~, ~user, $NAME or ${NAME}.

    A path that does not begin with / is relative to the working folder. A slash at the end is dropped.

    Args:
        path: The path; ./~ and ./$NAME name files that are called so.

    Raises:
        InputError: There is no such user or environment variable, or no file can have the path: it is empty or too
            long, begins or ends with a blank, or holds a backslash or a character that cannot be printed.
    """
    if re.search(r"[\x00-\x1f\x7f\ud800-\udfff]", path):
        raise InputError(f"the path {path!a} holds a character that no path can have; correct it.")
    if path != path.strip():
        raise InputError(f"the path {path!r} begins or ends with a blank; remove it.")
    if os.sep == "/" and "\\" in path:
        raise InputError(f"the path {path!r} holds a backslash; separate folders by /.")
    if path.startswith("~"):
        path = _home(path)
    elif variable := re.match(r"\$(?:(\w+)|\{(\w+)\})(?=/|$)", path):
        value = os.environ.get(variable[1] or variable[2])
        if not value:
            raise InputError(
                f"{variable[0]} of the path {path!r} is not set; write the whole path, or ./{variable[0]} for a "
                "file of this name."
            )
        path = value + path[variable.end() :]
    _check_length(path)
    return path.rstrip("/") or path[:1]


def expand_url(url: str) -> str:
    """An address, with the folder that the path of a file:// address begins with, see `expand`.

    Raises:
        InputError: The path of a file:// address is not a whole one, or no file can have it.
    """
    if not url.startswith("file://"):
        return url
    path = url.removeprefix("file://").removeprefix("localhost")
    if re.match(r"/[~$]", path):
        path = path[1:]
    if not path.startswith(("/", "~", "$")):
        raise InputError(
            f"the address {url!r} does not go on with a whole path after file://; write file:///FOLDER/FILE or "
            "file://~/FILE."
        )
    # a name with # or ? would be cut there
    return "file://" + re.sub("[#?]", lambda sign: quote(sign[0]), expand(path))


def path_argument(text: str) -> Path:
    """A path of a command line, for argparse; a shell has expanded all but the ~ of --option=~/folder."""
    try:
        _check_length(text)
        if text != text.strip() and not os.path.lexists(text):
            raise InputError(f"the path {text!r} begins or ends with a blank, and there is no such file; remove it.")
        return Path(_home(text) if text.startswith("~") and not os.path.lexists(text) else text)
    except InputError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def check_output(option: str, file: Path, inputs: Iterable[Path]) -> None:
    """Check that a command writes no file over a folder or over one that it reads.

    Args:
        option: The option that names the file.
        file: The file to write.
        inputs: The files that are read.

    Raises:
        InputError: The file is a folder or one of the inputs.
    """
    if file.is_dir():
        raise InputError(f"{option} {file}: is a folder; give a file.")
    if file.exists() and any(one.exists() and file.samefile(one) for one in inputs):
        raise InputError(f"{option} {file}: is a file that is read; give another name.")


def _check_length(path: str) -> None:
    if not path:
        raise InputError("the path is empty; write one, or leave the key or option out.")
    longest = max((os.fsencode(name) for name in path.split("/")), key=len)
    if len(longest) > _LONGEST_NAME or len(os.fsencode(path)) > _LONGEST_PATH:
        raise InputError(
            f"the path {path[:40]!r}... is longer than any file's ({_LONGEST_NAME} bytes a name, {_LONGEST_PATH} in"
            " all); shorten it."
        )


def _home(path: str) -> str:
    try:
        return str(Path(path).expanduser())
    except RuntimeError:
        raise InputError(
            f"the path {path!r} begins with a user whose home folder is unknown; write the whole path, or ./~ for a "
            "file of this name."
        ) from None


UserPath = Annotated[str, AfterValidator(expand)]
"""A path in a study file."""

UserUrl = Annotated[str, Field(pattern=r"^(https?|file)://"), AfterValidator(expand_url)]
"""An address in a study file or in datasets.yaml."""
