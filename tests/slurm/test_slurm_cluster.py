"""A small study on a SLURM cluster of one node: beside a local run, then with a cancelled and a requeued training."""

import contextlib
import os
import re
import shutil
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import yaml
from one_node_cluster import installed_packages, running_cluster, why_not
from PIL import Image

pytestmark = [pytest.mark.slurm, pytest.mark.skipif(bool(why_not()), reason=why_not() or "none")]

REPOSITORY = Path(__file__).parents[2]
COPIED = ("Snakefile", "rules", "workflow_scripts", "iqadistill", "envs", "profiles")
PROFILE = ("--workflow-profile", "profiles/slurm", "--slurm-status-command", "squeue")
CORES = ("--set-threads", "train_student=1", "predict=1", "embed_patches=1", "pretrain_teacher=1", "predict_cross=1")
OVERHEAD = 120  # seconds that the cluster may add to a local run
STUDY = {
    "name": "small",
    "device": "auto",
    "datasets": {"own": {"source": "images", "root": "data"}},
    "samplers": {"grid_crops": {"count": 4, "size": 64}},
    "encoders": {"tiny": {"model": "test_resnet", "weights": "none"}},
    "selectors": {"residual": {"n_components": 3}},
    "keep": [1.0],
    "students": {"adtrs": {"backbone": "test_resnet", "weights": "none", "epochs": 25, "splits": 2, "size": 64}},
    "evaluation": {"splits": 2, "bootstrap": 100},
    "experiments": [{"figure": "rate_sweep", "students": ["adtrs"], "selectors": ["residual"]}],
}
# A job whose first attempt fails.
RETRIED = """
from iqadistill.clusters.jobs import check_requests
onstart:
    check_requests(workflow)
rule retried:
    output: "done"
    resources:
        mem_mb=lambda wildcards, attempt: attempt * MEGABYTES,
        runtime=lambda wildcards, attempt: attempt * MINUTES,
    shell: "if mkdir tried; then FAIL; fi; touch {output}"
"""


@pytest.fixture(scope="module")
def cluster(tmp_path_factory):
    with contextlib.ExitStack() as taken_down:
        try:
            taken_down.enter_context(installed_packages())
            taken_down.enter_context(running_cluster(tmp_path_factory.mktemp("cluster")))
        except RuntimeError as error:
            pytest.skip(f"no cluster can be set up here: {error}")
        yield


def write_study(folder: Path) -> None:
    """Copy the workflow and write a study of 15 scored images: noise over a gradient."""
    for name in COPIED:
        copy = shutil.copytree if (REPOSITORY / name).is_dir() else shutil.copy
        copy(REPOSITORY / name, folder / name)
    (folder / "data").mkdir()
    generator = np.random.default_rng(0)
    rows = ["image,mos"]
    for index in range(15):
        gradient = np.linspace(0, 200, 96)[None, :, None] + np.zeros((80, 1, 3))
        noisy = gradient + generator.normal(0, 4 * index, gradient.shape)
        Image.fromarray(np.clip(noisy, 0, 255).astype(np.uint8)).save(folder / f"data/{index:02}.png")
        rows.append(f"{index:02}.png,{90 - 5 * index}")
    (folder / "data/images.csv").write_text("\n".join(rows) + "\n")
    (folder / "small.yaml").write_text(yaml.safe_dump(STUDY))


def start(folder: Path, *arguments: str) -> subprocess.Popen:
    """Start Snakemake in a folder; its messages go to run.log there."""
    return subprocess.Popen(
        [sys.executable, "-m", "snakemake", "--configfile", "small.yaml", *arguments],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(folder), "OMP_NUM_THREADS": "1"},
        stdout=(folder / "run.log").open("w"),
        stderr=subprocess.STDOUT,
    )


def wait(run: subprocess.Popen, folder: Path, seconds: float = 400) -> None:
    try:
        assert run.wait(seconds) == 0, (folder / "run.log").read_text()[-6000:]
    finally:
        run.kill()


def trainings() -> dict[str, str]:
    """Split by id of the running training jobs."""
    listed = subprocess.run(
        ["squeue", "--noheader", "--states=RUNNING", "--format=%i|%k"], stdout=subprocess.PIPE, text=True
    )
    jobs = (line.split("|", 1) for line in listed.stdout.splitlines())
    return {job: comment[-1] for job, comment in jobs if comment.startswith("rule_train_student")}


def visible_cards(job: str) -> set[str]:
    """CUDA_VISIBLE_DEVICES of the processes of a job's step."""
    found = set()
    for environment in Path("/proc").glob("[0-9]*/environ"):
        try:
            entries = dict(line.split("=", 1) for line in environment.read_text().split("\0") if "=" in line)
        except (OSError, UnicodeDecodeError):
            continue
        if entries.get("SLURM_JOB_ID") == job and "SLURM_STEP_ID" in entries and "CUDA_VISIBLE_DEVICES" in entries:
            found.add(entries["CUDA_VISIBLE_DEVICES"])
    return found


def until(condition, run, folder, seconds=120):
    """Wait until a condition holds, and return its value."""
    for _ in range(int(seconds / 0.3)):
        if value := condition():
            return value
        if run.poll() is not None:
            break
        time.sleep(0.3)
    pytest.fail((folder / "run.log").read_text()[-6000:])


@pytest.fixture(scope="module")
def local(tmp_path_factory):
    """Folder of the study run on this machine, and how many seconds it took."""
    return timed(tmp_path_factory.mktemp("local"), "--cores", "2")


def timed(folder: Path, *arguments: str) -> tuple[Path, float]:
    """Run the study in a folder; the folder and the seconds that it took."""
    write_study(folder)
    began = time.monotonic()
    wait(start(folder, *arguments), folder)
    return folder, time.monotonic() - began


def check_same_results(local: Path, remote: Path) -> None:
    """Check that tables and weights of two runs hold the same bytes, and that both wrote their reports."""
    tables = [Path(f"studies/small/{name}.parquet") for name in ("predictions", "metrics", "summary", "verdicts")]
    tables += [file.relative_to(local / "results") for file in (local / "results").rglob("*.safetensors")]
    assert len(tables) == 6
    for table in tables:
        assert (local / "results" / table).read_bytes() == (remote / "results" / table).read_bytes(), table
    assert (remote / "results/studies/small/report/index.html").is_file()


def scontrol(*arguments: str) -> str:
    return subprocess.run(["scontrol", *arguments], check=True, stdout=subprocess.PIPE, text=True).stdout


def test_study_takes_two_minutes_more_than_a_local_run_at_most(cluster, local, tmp_path, capsys):
    folder, local_seconds = local
    remote, seconds = timed(tmp_path, *PROFILE, *CORES)
    check_same_results(folder, remote)
    submitted = (remote / "run.log").read_text().count("has been submitted")
    with capsys.disabled():
        print(f"\nlocal {local_seconds:.0f} s, SLURM {seconds:.0f} s with {submitted} jobs submitted")
    assert seconds - local_seconds < OVERHEAD


def test_study_survives_scancel_and_requeue_and_equals_a_local_run(cluster, local, tmp_path, capsys):
    write_study(tmp_path)
    began = time.monotonic()
    run = start(tmp_path, *PROFILE, *CORES)
    try:
        jobs = until(lambda: (found := trainings()) and len(found) == 2 and found, run, tmp_path)
        cards = until(lambda: all(seen := [visible_cards(job) for job in jobs]) and seen, run, tmp_path)
        assert sorted(map(sorted, cards)) == [["0"], ["1"]]
        for job in jobs:
            shown = scontrol("show", "job", job)
            assert re.search(r"TresPerJob=gres:gpu:1\b", shown) and "NumCPUs=1 " in shown, shown
        checkpoints = tmp_path / "results/checkpoints"
        until(lambda: len(list(checkpoints.rglob("newest.safetensors"))) >= 2, run, tmp_path)
        cancelled, requeued = sorted(jobs)
        subprocess.run(["scancel", cancelled], check=True)
        scontrol("requeue", requeued)
        wait(run, tmp_path)
    finally:
        run.kill()
    seconds = time.monotonic() - began

    log = (tmp_path / "run.log").read_text()
    assert "Trying to restart job" in log and f"SLURM-job '{cancelled}' failed" in log
    assert f"SLURM-job '{requeued}' failed" not in log
    for split in "01":
        file = f"results/logs/train_student/small/own/grid_crops/tiny/all/1.0/adtrs/{split}.log"
        assert "resumed from" in (job_log := (tmp_path / file).read_text()), job_log
    check_same_results(local[0], tmp_path)
    with capsys.disabled():
        print(f"\nSLURM {seconds:.0f} s with job {cancelled} cancelled and job {requeued} requeued")


def tried_twice(folder: Path, megabytes: int, minutes: int, fail: str) -> tuple[str, list[list[str]]]:
    """Run a job whose first attempt fails; Snakemake's log, and memory and limit of time of each attempt."""
    rules = RETRIED.replace("MEGABYTES", str(megabytes)).replace("MINUTES", str(minutes)).replace("FAIL", fail)
    (folder / "Snakefile").write_text(rules)
    before = {line.split()[0] for line in listed_jobs()}
    run = subprocess.run(
        [sys.executable, "-m", "snakemake", "--workflow-profile", REPOSITORY / "profiles/slurm", *PROFILE[2:]],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(REPOSITORY)},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=300,
    )
    assert run.returncode == 0, run.stdout
    return run.stdout, [line.split()[1:] for line in listed_jobs() if line.split()[0] not in before]


def listed_jobs() -> list[str]:
    """Id, memory and limit of time of all jobs, ended ones included, in the order of submission."""
    command = ["squeue", "--noheader", "--noconvert", "--states=all", "--sort=i", "--format=%i %m %l"]
    return subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout.splitlines()


def test_second_attempt_is_held_at_what_the_node_has_and_the_partition_allows(cluster, tmp_path):
    _, asked = tried_twice(tmp_path, megabytes=20000, minutes=36 * 60, fail="exit 1")
    assert asked == [["20000M", "1-12:00:00"], ["32000M", "2-00:00:00"]]


def test_job_over_its_time_is_tried_again_with_twice_as_much(cluster, tmp_path):
    log, asked = tried_twice(tmp_path, megabytes=1000, minutes=1, fail="sleep 300")
    assert "SLURM status is: 'TIMEOUT'" in log
    assert asked == [["1000M", "1:00"], ["2000M", "2:00"]]


def test_what_no_node_can_run_is_refused_before_anything_is_queued(cluster, tmp_path):
    write_study(tmp_path)
    run = start(tmp_path, *PROFILE)
    assert run.wait(60) == 1
    log = (tmp_path / "run.log").read_text()
    assert "train_student asks for 8 cores, the nodes of partition main have 2" in log
    queued = subprocess.run(["squeue", "--noheader", "--states=PENDING,RUNNING"], stdout=subprocess.PIPE, text=True)
    assert not queued.stdout.strip() and "has been submitted" not in log
