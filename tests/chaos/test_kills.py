"""Jobs of every stage killed at a random moment: the same command ends with the bytes of an undisturbed run."""

import contextlib
import random
import time
from pathlib import Path

import pytest
from disturbed_study import Running, Workflow, contents, differing, leftovers, run, write_study

from iqadistill.config.jobs.layout import PATHS
from iqadistill.datasets.index import index_dataset
from iqadistill.tables import write_table

DEEP = ("train_student", "pretrain_teacher")  # whose jobs write a checkpoint after every epoch


@pytest.fixture(scope="module")
def mirror(tmp_path_factory):
    """Folder of the archive that all runs retrieve."""
    return tmp_path_factory.mktemp("mirror")


def started(folder: Path, mirror: Path) -> tuple[Workflow, list[str]]:
    """A copy of the workflow with the study, and the arguments that run it."""
    workflow = Workflow(folder)
    return workflow, ["--cores", "1", "--configfile", write_study(workflow, mirror)]


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory, mirror):
    """Digests of the results of a run on one core, and the duration of each of its jobs by its log."""
    workflow, arguments = started(tmp_path_factory.mktemp("undisturbed"), mirror)
    running = Running(workflow.folder, *arguments)
    status, printed = running.end()
    assert status == 0, printed[-4000:]
    return contents(workflow.folder), running.seconds()


@pytest.mark.chaos
@pytest.mark.parametrize(
    "whole",
    [
        pytest.param(False, id="job", marks=pytest.mark.xdist_group("kills")),
        pytest.param(True, id="snakemake", marks=pytest.mark.xdist_group("kills of snakemake")),
    ],
)
def test_study_survives_a_kill_in_every_stage(tmp_path, mirror, undisturbed, whole):
    expected, durations = undisturbed
    workflow, arguments = started(tmp_path, mirror)
    remaining = [*PATHS, *DEEP]  # each is killed when its turn comes: the order is Snakemake's
    draw, kills, missed, shorter = random.Random(int(whole)), [], [], 1.0
    while remaining:
        again = ["--forcerun", missed[0]] if missed else []
        running = Running(tmp_path, *arguments, *again)
        job = running.wait_for(missed or remaining)
        assert job, f"none of {remaining} ran:\n{running.end()[1][-4000:]}"
        late = job.rule in DEEP and remaining.count(job.rule) == 1  # the second kill of a training
        while late and running.is_at_work(job) and not list((tmp_path / "results/checkpoints").rglob("newest.*")):
            time.sleep(0.002)
        share = draw.uniform(0.02, 0.3 if late else 0.9) * shorter
        at_work = running.kill(job, share * durations[job.log], whole)
        status, printed = running.end()
        assert status, printed[-4000:]
        if whole or not at_work:
            workflow.run("--unlock", *arguments)
        missed, shorter = ([], 1.0) if at_work else ([job.rule], shorter / 2)
        if at_work:
            remaining.remove(job.rule)
            kills.append((job, share, late, ", ".join(leftovers(tmp_path)) or "-"))
    status, printed = run(tmp_path, *arguments)
    assert status == 0, printed[-4000:]
    different = differing(expected, contents(tmp_path))
    resumed = {log for log in durations if "resumed from" in (tmp_path / log).read_text(errors="replace")}
    print(f"killed: {'Snakemake and all of its processes' if whole else 'the process of a job'}")
    for job, share, late, left in kills:
        moment = f"{100 * share:3.0f} % of {durations[job.log]:6.3f} s{' after a checkpoint' if late else ''}"
        goes_on = "resumed" if job.log in resumed and "newest.safetensors" in left else ""
        print(f"{job.rule:<18} {moment:<40} {goes_on:<8} left: {left}")
    print(f"{len(kills)} kills of jobs at work; different from an undisturbed run: {different or 'nothing'}")
    assert not different and not leftovers(tmp_path)
    assert resumed and len(kills) >= 20


@pytest.mark.chaos
@pytest.mark.xdist_group("kills")
def test_two_cores_give_the_bytes_of_one(tmp_path, mirror, undisturbed):
    workflow, arguments = started(tmp_path, mirror)
    status, printed = run(workflow.folder, *arguments, "--cores", "2")
    assert status == 0, printed[-4000:]
    assert not differing(undisturbed[0], contents(workflow.folder))


@pytest.mark.slow
def test_killed_job_is_made_again(tmp_path):
    workflow = Workflow(tmp_path)
    workflow.write_images(count=60)
    arguments = ["datasets", "--cores", "1", "--configfile", workflow.study()]
    running = Running(tmp_path, *arguments)
    if not running.kill(running.wait_for(["index_dataset"]), 0.05, whole=False):
        workflow.run("--unlock", *arguments)  # the machine was busy: all was killed after the job
    assert running.end()[0]
    status, printed = run(tmp_path, *arguments)
    assert status == 0, printed[-4000:]
    with contextlib.chdir(tmp_path):
        images, metadata = index_dataset("own", "data", source="images", kind="flat")
    write_table(images, tmp_path / "undisturbed.parquet", "images", metadata)
    (index,) = (tmp_path / "results/index_dataset").glob("*.parquet")
    assert index.read_bytes() == (tmp_path / "undisturbed.parquet").read_bytes() and not leftovers(tmp_path)
