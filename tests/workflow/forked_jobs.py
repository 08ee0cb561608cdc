"""Snakemake whose jobs are forked from a process that has imported PyTorch and the rest.

A job of a miniature study computes for less than a second and imports for four. Everything else is as it is shipped:
the Snakefile, the rules, the scripts with what Snakemake writes in front of them, a process a job.
"""

import multiprocessing
import resource
import runpy
import sys
import threading
import time
from multiprocessing.connection import Connection, wait
from subprocess import CalledProcessError

from snakemake.cli import main
from snakemake.script import PythonScript

# snakemake.cli too: each job imports this file once more, and Snakemake with it
PRELOADED = [
    "snakemake.cli",
    "torch",
    "timm",
    "pandas",
    "pyarrow.dataset",
    "scipy.stats",
    "scipy.optimize",
    "matplotlib.pyplot",
]


# Starting a process asks all others for their exit status, which each can be asked for by one thread only.
LOCK = threading.Lock()


def run_script(file: str, costs: Connection) -> None:
    """The life of a job's process, which sends its CPU seconds and peak memory in KiB before it ends."""
    sys.argv = [file]
    runpy.run_path(file, run_name="__main__")
    usage = resource.getrusage(resource.RUSAGE_SELF)
    costs.send((usage.ru_utime + usage.ru_stime, usage.ru_maxrss))


def execute_script(script: PythonScript, fname: str, edit: bool = False) -> None:
    """Run a job's script in a forked process, in place of a Python of its own.

    The job's benchmark is what the process itself says at its end. Snakemake would look at the process every half a
    second, and adding up the memory of one that shares all of PyTorch takes longer than the job.
    """
    costs, sender = multiprocessing.Pipe(duplex=False)
    process = multiprocessing.get_context("forkserver").Process(target=run_script, args=(fname, sender))
    start = time.monotonic()
    with LOCK:
        process.start()
    sender.close()
    wait([process.sentinel])
    with LOCK:
        process.join()
    if process.exitcode:
        raise CalledProcessError(process.exitcode, fname)
    record = script.bench_record
    record.running_time = time.monotonic() - start
    record.cpu_time, kibibytes = costs.recv()
    record.cpu_usage, record.max_rss, record.data_collected = 100 * record.cpu_time, kibibytes / 1024, True


if __name__ == "__main__":
    multiprocessing.set_forkserver_preload(PRELOADED)
    PythonScript.execute_script = execute_script
    main()
