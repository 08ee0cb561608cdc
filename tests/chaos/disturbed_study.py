"""A small study of all stages, run by Snakemake, whose jobs a test can kill; and what its results are compared by."""

import contextlib
import hashlib
import importlib.util
import json
import os
import random
import signal
import subprocess
import sys
import tarfile
import time
from pathlib import Path

import pyarrow.parquet as pq
import yaml

REPOSITORY = Path(__file__).parents[2]
_SPECIFICATION = importlib.util.spec_from_file_location("workflow_conftest", REPOSITORY / "tests/workflow/conftest.py")
sys.path.append(str(REPOSITORY / "tests/workflow"))
_CONFTEST = importlib.util.module_from_spec(_SPECIFICATION)
_SPECIFICATION.loader.exec_module(_CONFTEST)
Workflow = _CONFTEST.Workflow  # another conftest, so that the name alone would find this folder's

ANNOUNCED = Path(__file__).with_name("announced_jobs.py")
MEASURED = {"seconds", "peak_memory", "fixed", "per_patch", "milliseconds"}  # columns that a clock or a counter fills
# A sidecar names the commit and memory; a manifest the date of the download; costs are times.
MEASURED_KEYS = {"cost", "when", "inputs", "created", "date"}
NOT_COMPARED = ("logs/", "benchmarks/", "checkpoints/", "costs.parquet", "/report/", "student_cost", "scoring_time")


def write_archive(folder: Path) -> str:
    """Pack the images of `folder`/data as a user's archive and return its address."""
    archive = folder / "mirror/lab.tar.gz"
    archive.parent.mkdir()
    with tarfile.open(archive, "w:gz", compresslevel=1) as packed:
        for file in sorted((folder / "data").iterdir()):
            packed.add(file, file.name)
    return archive.as_uri()


def write_study(workflow: Workflow) -> str:
    """Write images, an archive, and a study with a job of every kind; returns the study's path."""
    workflow.write_images()
    record = {"title": "Ours", "kind": "flat", "origin": "archive", "score": {}}
    record["archives"] = [{"name": "lab.tar.gz", "urls": [write_archive(workflow.folder)]}]
    (workflow.folder / "datasets.yaml").write_text(yaml.safe_dump({"lab": record}))
    small = {"backbone": "test_resnet", "weights": "none", "size": 64, "splits": 2}
    return workflow.study(
        datasets={"lab": {"root": "unpacked"}},
        samplers={"grid_crops": {"count": 4, "size": 64}},
        teachers={
            "cnn": {"model": "regressor", "backbone": "test_resnet", "weights": "none", "size": 64, "epochs": 12}
        },
        students={
            "mlp": {"hidden": [8], "dropout": [0.0], "epochs": 3},
            "adtrs": {**small, "epochs": 12},
            "rkiqt": {
                **small,
                **{"backbone": "test_vit", "epochs": 4, "decoder_heads": 2, "conv": "cnn"},
            },
        },
        evaluation={"splits": 3, "bootstrap": 100},
        experiments=[
            {"figure": "rate_sweep", "students": ["mlp"]},
            {"figure": "students", "students": ["mlp", "adtrs", "rkiqt"]},
            {"figure": "overlap", "keep": [0.5]},
        ],
    )


class Running:
    """Snakemake at work, in a process group of its own."""

    def __init__(self, folder: Path, *arguments: str):
        self.jobs = folder / "running_jobs"
        self.jobs.mkdir(exist_ok=True)
        for file in self.jobs.iterdir():
            file.unlink()
        self._output = open(folder / "run.log", "wb")  # noqa: SIM115
        environment = {**os.environ, "PYTHONPATH": str(folder), "ANNOUNCED_JOBS": str(self.jobs)}
        self.process = subprocess.Popen(
            [sys.executable, ANNOUNCED, *arguments],
            cwd=folder,
            env={**environment, "OMP_NUM_THREADS": "1"},
            stdout=self._output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        self.log = folder / "run.log"

    def wait_for(self, rule: str) -> int | None:
        """Process id of the first job of the rule; None if Snakemake ends before there is one."""
        while self.process.poll() is None:
            for file in self.jobs.glob(f"{rule}.*"):
                return int(file.suffix[1:])
            time.sleep(0.002)
        return None

    def end(self) -> int:
        """Wait for the end; returns the exit status."""
        status = self.process.wait()
        self._output.close()
        return status

    def kill(self, rule: str, job: int, seconds: float, whole: bool) -> bool:
        """Kill a job after so many seconds, or Snakemake and all of its processes, without any warning.

        Returns:
            Whether the job was still at work. At the end of a job that was quicker all processes are killed, so that
            none of a later stage has run yet.
        """
        announced, end = self.jobs / f"{rule}.{job}", time.monotonic() + seconds
        while announced.exists() and time.monotonic() < end:
            time.sleep(0.002)
        at_work = announced.exists()
        with contextlib.suppress(ProcessLookupError):
            if whole or not at_work:
                os.killpg(self.process.pid, signal.SIGKILL)
            else:
                os.kill(job, signal.SIGKILL)
        return at_work


def leftovers(folder: Path) -> list[str]:
    """Files that a kill left unfinished, and checkpoints."""
    return sorted(
        file.relative_to(folder).as_posix()
        for place in ("results", "unpacked")
        for file in (folder / place).rglob("*")
        if file.is_file() and (".partial" in file.name or file.name.endswith(".part") or "checkpoints" in file.parts)
    )


def _without_measured(value):
    if isinstance(value, dict):
        return {key: _without_measured(item) for key, item in value.items() if key not in MEASURED_KEYS}
    return [_without_measured(item) for item in value] if isinstance(value, list) else value


def contents(folder: Path) -> dict[str, str]:
    """Digest of every table, weights file, figure, CSV and JSON below results, but for what a clock decides."""
    found = {}
    for file in sorted((folder / "results").rglob("*")):
        name = file.relative_to(folder).as_posix()
        if not file.is_file() or any(part in name for part in NOT_COMPARED):
            continue
        if file.suffix == ".parquet" and MEASURED & set(pq.read_schema(file).names):
            table = pq.read_table(file)
            kept = table.select([column for column in table.column_names if column not in MEASURED])
            content = kept.to_pandas().to_json().encode()
        elif file.suffix == ".json":
            content = json.dumps(_without_measured(json.loads(file.read_text())), sort_keys=True).encode()
        elif file.suffix in {".parquet", ".safetensors", ".csv", ".svg", ".png"}:
            content = file.read_bytes()
        else:
            continue
        found[name] = hashlib.sha256(content).hexdigest()
    return found


def moment(seed: int, rule: str, seconds: float) -> float:
    """A moment within a job, early, late or in its writes."""
    return random.Random(f"{seed} {rule}").uniform(0.02, 1.0) * max(seconds, 0.05)
