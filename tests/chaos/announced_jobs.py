"""Snakemake with forked jobs, as in tests/workflow, each of which writes its rule and process id to a folder first.

A test learns from it which process to kill.
"""

import multiprocessing
import os
import sys
from multiprocessing.connection import Connection
from pathlib import Path

sys.path.append(str(Path(__file__).parents[1] / "workflow"))
import forked_jobs
from snakemake.cli import main
from snakemake.script import PythonScript

FOLDER = "running_jobs"


def run_announced(file: str, costs: Connection) -> None:
    """The life of a job's process."""
    rule = Path(file).stem.partition(".")[2]
    folder = Path(os.environ["ANNOUNCED_JOBS"])
    own = folder / f"{rule}.{os.getpid()}"
    own.touch()
    forked_jobs_run(file, costs)
    own.unlink()


forked_jobs_run = forked_jobs.run_script

if __name__ == "__main__":
    forked_jobs.run_script = run_announced
    multiprocessing.set_forkserver_preload(["__main__", *forked_jobs.PRELOADED])
    PythonScript.execute_script = forked_jobs.execute_script
    main()
