"""Paths as users write them, in study files and on command lines."""

import argparse
import os
import re
from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator

from iqadistill.errors import InputError


def expand(path: str) -> str:
    """A path with the folder that its start stands for: ~, ~user, $NAME or ${NAME}.

    A path that does not begin with / is relative to the working folder. A slash at the end is dropped.

    Args:
        path: The path; ./~ and ./$NAME name files that are called so.

    Raises:
        InputError: There is no such user or environment variable, or the path holds a backslash or a character that
            cannot be printed.
    """
    if re.search(r"[\x00-\x1f\x7f\ud800-\udfff]", path):
        raise InputError(f"the path {path!a} holds a character that no path can have; correct it.")
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
    return path.rstrip("/") or path[:1]


def path_argument(text: str) -> Path:
    """A path of a command line, for argparse; a shell has expanded all but the ~ of --option=~/folder."""
    try:
        return Path(_home(text) if text.startswith("~") and not os.path.lexists(text) else text)
    except InputError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


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
