"""Snakemake with forked jobs, as in tests/workflow, which say in the folder ANNOUNCED_JOBS what they are doing.

A job at work has a file named after its process id, a job that ended well a line in the file `seconds`.
"""

import multiprocessing
import os
import sys
import time
from multiprocessing.connection import Connection
from pathlib import Path

sys.path.append(str(Path(__file__).parents[1] / "workflow"))
import forked_jobs
from snakemake.cli import main
from snakemake.script import PythonScript

RUN_SCRIPT = forked_jobs.run_script


def run_announced(file: str, costs: Connection) -> None:
    """The life of a job's process."""
    folder = Path(os.environ["ANNOUNCED_JOBS"])
    described, announced = folder / Path(file).name, folder / str(os.getpid())
    text, start = described.read_text(), time.monotonic()
    described.rename(announced)
    RUN_SCRIPT(file, costs)
    announced.unlink()
    with open(folder / "seconds", "a") as seconds:
        seconds.write(f"{text} {time.monotonic() - start:.3f}\n")


def execute_announced(script: PythonScript, fname: str, edit: bool = False) -> None:
    """Run a job's script in a forked process that can be found by its rule and log."""
    described = Path(os.environ["ANNOUNCED_JOBS"]) / Path(fname).name
    described.write_text(f"{script.rulename} {script.log[0]}")
    forked_jobs.execute_script(script, fname, edit)


if __name__ == "__main__":
    forked_jobs.run_script = run_announced
    multiprocessing.set_forkserver_preload(forked_jobs.PRELOADED)
    PythonScript.execute_script = execute_announced
    main()
