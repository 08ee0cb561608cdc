"""Snakemake whose jobs are forked from a process that has imported PyTorch and the rest.

A job of a miniature study computes for less than a second and imports for four. Everything else is as it is shipped:
the Snakefile, the rules, the scripts with what Snakemake writes in front of them, a process a job.
"""

import multiprocessing
import multiprocessing.process
import runpy
import sys
import threading
from subprocess import CalledProcessError

from snakemake.benchmark import benchmarked
from snakemake.cli import main
from snakemake.script import PythonScript

PRELOADED = ["torch", "timm", "pandas", "pyarrow.dataset", "scipy.stats", "scipy.optimize", "matplotlib.pyplot"]


STARTING = threading.Lock()


def run_script(file: str) -> None:
    """The life of a job's process."""
    sys.argv = [file]
    runpy.run_path(file, run_name="__main__")


def execute_script(script: PythonScript, fname: str, edit: bool = False) -> None:
    """Run a job's script in a forked process, in place of a Python of its own."""
    process = multiprocessing.get_context("forkserver").Process(target=run_script, args=(fname,))
    # A start asks every process that multiprocessing has listed whether it has ended. The answer can be read once: the
    # thread that waits for another job would miss it and take the job for a failed one (exit code 255).
    with STARTING:
        process.start()
        multiprocessing.process._children.discard(process)
    with benchmarked(process.pid, script.bench_record):
        process.join()
    if process.exitcode:
        raise CalledProcessError(process.exitcode, fname)


if __name__ == "__main__":
    multiprocessing.set_forkserver_preload(["__main__", *PRELOADED])
    PythonScript.execute_script = execute_script
    main()
