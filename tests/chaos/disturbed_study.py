"""A small study with a job of every stage, run so that a test can kill its jobs, and how its results are compared."""

import contextlib
import hashlib
import importlib.util
import io
import json
import os
import signal
import subprocess
import sys
import tarfile
import time
from collections.abc import Collection
from fnmatch import fnmatch
from pathlib import Path
from typing import Any, NamedTuple

import pandas as pd
import pyarrow.parquet as pq
import yaml

WORKFLOW_TESTS = Path(__file__).parents[1] / "workflow"
ANNOUNCED_JOBS = Path(__file__).with_name("announced_jobs.py")

sys.path.append(str(WORKFLOW_TESTS))
_CONFTEST = importlib.util.spec_from_file_location("workflow_conftest", WORKFLOW_TESTS / "conftest.py")
_MODULE = importlib.util.module_from_spec(_CONFTEST)
_CONFTEST.loader.exec_module(_MODULE)
Workflow = _MODULE.Workflow  # by its path, for other folders of tests have a conftest too

NOT_COMPARED = {
    "results/logs/*": "seconds, and whether a training was resumed",
    "results/benchmarks/*": "seconds and memory of jobs",
    "results/studies/*/report/index.html": "shows seconds and memory of jobs",
    "results/studies/*/figures/budget.*": "shows milliseconds",
}
"""Files that a clock or the memory of a process decides, and what they hold of it."""

NOT_COMPARED_WITHIN = {
    "*.history.parquet": ("seconds", "peak_memory"),
    "*/costs.parquet": ("seconds", "cpu_seconds", "max_rss", "scoring_seconds"),
    "*/budget_times/*.parquet": ("fixed", "per_patch"),
    "*/tables/budget.*": ("milliseconds",),
    "*/report/summary.json": ("seconds", "milliseconds"),  # and the answer that says what took how long
    "results/retrieve_dataset/*.json": ("when", "fingerprint"),  # of modification times of unpacked files
    "*.json": ("scoring_seconds",),
}
"""Columns and keys of the same kind in files that are compared otherwise."""


def write_archive(images: Path, archive: Path) -> str:
    """Pack a folder of images, with the same bytes every time, and return the archive's address."""
    archive.parent.mkdir(exist_ok=True)
    with tarfile.open(archive, "w") as packed:
        for file in sorted(images.iterdir()):
            member = packed.gettarinfo(file, file.name)
            member.mtime = 0
            packed.addfile(member, io.BytesIO(file.read_bytes()))
    return archive.as_uri()


def write_study(workflow: Workflow, mirror: Path) -> str:
    """Write images, an archive of them, and a study with a job of every rule; returns the study's path.

    Args:
        workflow: A copy of the workflow.
        mirror: Folder of the archive, the same one for all studies that are compared.
    """
    workflow.write_images()
    blocks = workflow.folder / "iqadistill/encoders/shards.py"
    blocks.write_text(
        blocks.read_text().replace("BLOCK = 256", "BLOCK = 16")
    )  # so that no shard of few patches is empty
    labels = pd.read_csv(workflow.folder / "data/images.csv")
    labels["region"] = ["half 0 0 0.5 1", "half 0.5 0 0.5 1", ""] * 5
    labels.to_csv(workflow.folder / "data/images.csv", index=False)
    predicted = labels.assign(prediction=labels.mos + 1)
    predicted[["image", "prediction"]].to_csv(workflow.folder / "tool.csv", index=False)
    address = write_archive(workflow.folder / "data", mirror / "lab.tar")
    record = {"title": "Ours", "kind": "flat", "origin": "archive", "score": {}}
    record["archives"] = [{"name": "lab.tar", "urls": [address]}]
    (workflow.folder / "datasets.yaml").write_text(yaml.safe_dump({"lab": record}))
    deep = {"weights": "none", "size": 64}
    cnn, lab = {**deep, "backbone": "test_resnet"}, {"datasets": ["lab"], "samplers": ["grid_crops"]}
    variant = {"dataset": "lab", "sampler": "grid_crops", "encoder": "tiny", "student": "mlp", "selector": "residual"}
    return workflow.study(
        datasets={
            "lab": {"root": "unpacked"},
            "own": {"source": "images", "root": "data", "shards": 2},
            "noise360": {},
        },
        samplers={"grid_crops": {"count": 6, "size": 32}, "lat": {"count": 20, "size": 32}},
        selectors={"residual": {"n_components": 3}, "random": {}},
        teachers={"cnn": {**cnn, "model": "regressor", "epochs": 8}},
        students={
            "mlp": {"hidden": [8], "dropout": [0.0], "epochs": 3},
            "adtrs": {**cnn, "splits": 2, "epochs": 4},
            "rkiqt": {**deep, "backbone": "test_vit", "splits": 2, "epochs": 4, "decoder_heads": 2, "conv": "cnn"},
            "brisque": {},
            "tool": {"model": "external", "files": {"lab": "tool.csv"}},
        },
        primary=[{**variant, "keep": 0.5, "against": {"selector": "random"}}],
        experiments=[
            {"figure": "rate_sweep", **lab, "students": ["mlp"]},
            {"figure": "students", **lab, "students": ["mlp", "adtrs", "rkiqt", "brisque", "tool"]},
            {"figure": "cross_dataset", **lab, "students": ["adtrs"], "tested_on": ["own"]},
            {"figure": "overlap", "datasets": ["noise360"], "samplers": ["lat"], "keep": [0.5]},
            {"figure": "label_efficiency", **lab, "budgets": [4], "choosers": ["facility"]},
            {"figure": "budget", **lab, "selectors": ["residual"]},
            {"figure": "damage", "datasets": ["own"], "samplers": ["grid_crops"]},
        ],
    )


class JobAtWork(NamedTuple):
    """A job of a running Snakemake: its rule, its log, which names it among all jobs, and its process id."""

    rule: str
    log: str
    process: int


class Running:
    """Snakemake at work, in a process group of its own, with jobs that can be found.

    Attributes:
        process: Its process.
    """

    def __init__(self, folder: Path, *arguments: str):
        self._jobs, self._printed = folder / "jobs_at_work", folder / "printed.log"
        self._jobs.mkdir(exist_ok=True)
        for file in self._jobs.iterdir():
            file.unlink()
        environment = {**os.environ, "PYTHONPATH": str(folder), "ANNOUNCED_JOBS": str(self._jobs)}
        with open(self._printed, "wb") as printed:
            self.process = subprocess.Popen(
                [sys.executable, ANNOUNCED_JOBS, *arguments],
                cwd=folder,
                env={**environment, "OMP_NUM_THREADS": "1"},
                stdout=printed,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def wait_for(self, rules: Collection[str]) -> JobAtWork | None:
        """The first job of one of the rules that is at work; None if Snakemake ends before there is one."""
        while self.process.poll() is None:
            for file in self._jobs.iterdir():
                with contextlib.suppress(FileNotFoundError):  # the job has just ended
                    if file.name.isdecimal() and (words := file.read_text().split())[0] in rules:
                        return JobAtWork(*words, int(file.name))
            time.sleep(0.001)
        return None

    def is_at_work(self, job: JobAtWork) -> bool:
        """Whether a job has not ended yet."""
        return (self._jobs / str(job.process)).exists()

    def kill(self, job: JobAtWork, seconds: float, whole: bool) -> bool:
        """Kill a job after so many seconds, or Snakemake with all of its processes, without any warning.

        Returns:
            Whether the job was still at work; otherwise all processes are killed, so that no later job runs.
        """
        end = time.monotonic() + seconds
        while self.is_at_work(job) and time.monotonic() < end:
            time.sleep(0.0005)
        at_work = self.is_at_work(job)
        if at_work and not whole:
            os.kill(job.process, signal.SIGKILL)
        else:
            os.killpg(self.process.pid, signal.SIGKILL)
        return at_work

    def end(self) -> tuple[int, str]:
        """Wait for the end; returns the exit status and all that was printed."""
        return self.process.wait(), self._printed.read_text(errors="replace")

    def seconds(self) -> dict[str, float]:
        """Duration of each job that ended well, by its log."""
        lines = (self._jobs / "seconds").read_text().splitlines()
        return {log: float(seconds) for _, log, seconds in map(str.split, lines)}


def run(folder: Path, *arguments: str) -> tuple[int, str]:
    """Exit status and output of an undisturbed run."""
    return Running(folder, *arguments).end()


def leftovers(folder: Path) -> list[str]:
    """Names of unfinished files, unfinished folders and checkpoints."""
    return sorted(
        file.name
        for place in ("results", "unpacked", "datasets.lock")
        for file in (folder / place).rglob("*")
        if file.suffix in (".partial", ".part")
        or file.name in (".unpacking", ".moving")
        or (file.is_file() and "checkpoints" in file.parts)
    )


def _without(value: Any, keys: Collection[str]) -> Any:
    if isinstance(value, dict):
        return {key: _without(item, keys) for key, item in value.items() if key not in keys}
    if isinstance(value, list):
        return [_without(item, keys) for item in value if not (isinstance(item, str) and " took " in item)]
    return value


def _compared(file: Path, name: str) -> bytes:
    """Bytes of a file without what a clock decides."""
    fields = next((fields for pattern, fields in NOT_COMPARED_WITHIN.items() if fnmatch(name, pattern)), ())
    if file.suffix == ".json":
        return json.dumps(_without(json.loads(file.read_text()), fields)).encode()
    if fields and file.suffix == ".csv":
        return pd.read_csv(file, dtype=str).drop(columns=list(fields)).to_csv().encode()
    if fields:
        kept = io.BytesIO()
        pq.write_table(pq.read_table(file).drop_columns(list(fields)), kept)
        return kept.getvalue()
    return file.read_bytes()


def contents(folder: Path) -> dict[str, str]:
    """Digest of every result, but for what a clock decides."""
    files = {file.relative_to(folder).as_posix(): file for file in (folder / "results").rglob("*") if file.is_file()}
    return {
        name: hashlib.sha256(_compared(file, name)).hexdigest()
        for name, file in files.items()
        if not any(fnmatch(name, pattern) for pattern in NOT_COMPARED)
    }


def differing(first: dict[str, str], second: dict[str, str]) -> list[str]:
    """Names of results that only one of two runs has, or that differ."""
    return sorted(name for name in first | second if first.get(name) != second.get(name))
