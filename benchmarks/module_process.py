"""A Python module that runs as a process of its own: its seconds, and its peak memory.

The peak that the system reports of a child is at least that of its parent, which it was a copy of until it began its
own program. The process therefore reads its peak itself, which Linux counts from there on.
"""

import os
import resource
import subprocess
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

_PROGRAM = """
import atexit, runpy, sys
def tell_peak():
    with open("/proc/self/status") as status:
        print("\\n" + next(line for line in status if line.startswith("VmHWM")), end="")
atexit.register(tell_peak)
sys.argv = sys.argv[1:]
runpy.run_module(sys.argv[0], run_name="__main__", alter_sys=True)
"""


@dataclass(frozen=True)
class Usage:
    """What a process took: wall-clock and CPU seconds, and its largest resident set in bytes."""

    seconds: float
    cpu_seconds: float
    peak: int


def run_module(
    module: str, *arguments: object, folder: Path | None = None, environment: Mapping[str, str] | None = None
) -> Usage:
    """Run `python -m module arguments`; on Linux only.

    Args:
        module: Dotted name of the module.
        arguments: Its arguments.
        folder: Folder to run it in; default: the present one.
        environment: Environment variables; default: the present ones.

    Raises:
        SystemExit: The process failed; the message holds what it printed.
    """
    command = [sys.executable, "-c", _PROGRAM, module, *map(str, arguments)]
    before, start = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True)
    seconds, after = time.perf_counter() - start, resource.getrusage(resource.RUSAGE_CHILDREN)
    if done.returncode:
        call = " ".join(["python -m", module, *map(str, arguments)])
        raise SystemExit(f"{call} in {folder or os.curdir} failed:\n{done.stderr}")
    cpu_seconds = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return Usage(seconds, cpu_seconds, 1024 * int(done.stdout.split()[-2]))
