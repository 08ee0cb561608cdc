"""Label formats by name: the files of `iqadistill.datasets.labels.formats`."""

import pkgutil

from iqadistill.datasets.labels import formats
from iqadistill.errors import InputError, nearest


def format_names() -> list[str]:
    """Names of all label formats, sorted."""
    return sorted(module.name for module in pkgutil.iter_modules(formats.__path__))


def format_module(name: str) -> str:
    """Dotted name of the module that reads a label format.

    No import statement leads to it, so a job that reads labels passes it to `iqadistill.provenance.code_digest`.

    Raises:
        InputError: There is no such format.
    """
    known = format_names()
    if name not in known:
        raise InputError(f"unknown label format {name!r}; {nearest(name, known)}")
    return f"{formats.__name__}.{name}"
