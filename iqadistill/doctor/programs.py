"""Programs that unpack what Python cannot."""

import re
import shutil
import subprocess
from collections.abc import Iterator
from functools import cache
from pathlib import Path

from iqadistill.datasets.retrieval.archives import has_further_parts
from iqadistill.datasets.retrieval.unpackers import SEVEN_ZIP
from iqadistill.doctor.finding import Finding

RAR_CODEC = r"\b4030[1-5]\s+Rar"  # builds of some distributions leave it out


def check_programs() -> Iterator[Finding]:
    """Find programs for each kind of archive, in the order in which the workflow takes them."""
    kinds = {
        "rar": (rar_program(), "bsdtar or unrar"),
        "7z": (_first("bsdtar", *SEVEN_ZIP), "7z or bsdtar"),
        "archives of several parts": (_first(*SEVEN_ZIP), "7z"),
        "zip by Deflate64": (_first(*SEVEN_ZIP, "unzip"), "7z or unzip"),
        "zip by zstd": (_first("bsdtar", *SEVEN_ZIP), "bsdtar"),
        "tar.zst": (_first("bsdtar"), "bsdtar"),
    }
    there = [f"{kind} ({program})" for kind, (program, _) in kinds.items() if program]
    lacking = [f"{kind} ({wanted})" for kind, (program, wanted) in kinds.items() if not program]
    yield Finding("ok", "unpacking", ", ".join(["zip and tar", *there]))
    if lacking:
        yield Finding(
            "warning", "unpacking", f"zip and tar, but no program for {', '.join(lacking)}; install those in brackets"
        )


def rar_program() -> str:
    """Program that unpacks rar here; empty if there is none."""
    return _first("bsdtar", "unrar") or _seven_zip_for_rar()


def _seven_zip_for_rar() -> str:
    """The 7z that is taken for rar, if it reads it."""
    seven_zip = _first(*SEVEN_ZIP)
    return seven_zip if seven_zip and _reads_rar(seven_zip) else ""


def can_unpack(archive: Path) -> bool:
    """Whether a program here unpacks an archive, as far as its name tells; other files need none."""
    suffix = archive.suffix.lower()
    if has_further_parts(archive):
        return bool(_first("unrar") or _seven_zip_for_rar()) if suffix == ".rar" else bool(_first(*SEVEN_ZIP))
    return bool({".rar": rar_program, ".7z": lambda: _first("bsdtar", *SEVEN_ZIP)}.get(suffix, lambda: "Python")())


def _first(*names: str) -> str:
    """The first program that is installed; empty if none is."""
    return next(filter(shutil.which, names), "")


@cache
def _reads_rar(seven_zip: str) -> bool:
    try:
        listed = subprocess.run([seven_zip, "i"], capture_output=True, text=True, errors="replace", timeout=10)
    except (OSError, subprocess.TimeoutExpired):
        return False
    return re.search(RAR_CODEC, listed.stdout) is not None
