"""Full disks, read-only results, two runs at once, wrong clocks, damage: a sentence, then the same results."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from disturbed_study import Running, Workflow, contents, differing, leftovers, run
from dry_runs import dry_run

pytestmark = [pytest.mark.chaos, pytest.mark.xdist_group("disturbances")]


def started(folder: Path) -> tuple[str, ...]:
    """A copy of the workflow with a small study in the folder; returns the arguments that run it."""
    workflow = Workflow(folder)
    workflow.write_images()
    deep = {"backbone": "test_resnet", "weights": "none", "size": 64, "splits": 1, "epochs": 1}
    students = {"mlp": {"hidden": [8], "dropout": [0.0], "epochs": 3}, "adtrs": deep}
    figures = [{"figure": "rate_sweep", "students": ["mlp"]}, {"figure": "students", "students": ["mlp", "adtrs"]}]
    return "--cores", "2", "--configfile", workflow.study(students=students, experiments=figures)


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory):
    """Digests of the results of the study."""
    folder = tmp_path_factory.mktemp("undisturbed")
    status, printed = run(folder, *started(folder))
    assert status == 0, printed[-3000:]
    return contents(folder)


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """The folder of a finished study that tests damage and mend, and the arguments that run it."""
    folder = tmp_path_factory.mktemp("finished")
    arguments = started(folder)
    assert run(folder, *arguments)[0] == 0
    return folder, arguments


@pytest.fixture
def results(tmp_path):
    """The folder results as a small file system of its own in memory, as full and as writable as `mount` says."""
    folder = tmp_path / "results"
    folder.mkdir()
    mount("-t", "tmpfs", "-o", "size=300k", "tmpfs", folder)
    yield folder
    subprocess.run(["umount", folder], check=True)


def mount(*arguments: object) -> None:
    """Run mount, and skip the test where it is not permitted."""
    done = subprocess.run(["mount", *map(str, arguments)], capture_output=True, text=True, check=False)
    if done.returncode:
        pytest.skip(f"mount is not permitted here: {done.stderr.strip()}")


def sentence(printed: str) -> str:
    """The line of a run's output that says why it failed."""
    assert "Traceback" not in printed, printed[-5000:]
    lines = [line for line in printed.splitlines() if line.startswith(("error: ", "results: ", "Error: Directory"))]
    assert lines, printed[-5000:]
    return lines[0]


def assert_same_in_the_end(folder: Path, arguments: tuple[str, ...], expected: dict[str, str]) -> None:
    """Run the same command again, which must end well with the results of an undisturbed run."""
    status, printed = run(folder, *arguments)
    assert status == 0, printed[-3000:]
    assert not differing(contents(folder), expected) and not leftovers(folder)


def test_full_disk_is_one_sentence_and_the_study_goes_on_with_more_room(results, undisturbed):
    arguments = started(results.parent)
    status, printed = run(results.parent, *arguments)
    assert status and "no space is left on the disk; make room and run again" in sentence(printed)
    assert list(results.rglob("*.parquet")), "the disk was full from the start"
    print("full disk", sentence(printed), sep=": ")
    mount("-o", "remount,size=100m", results)
    assert_same_in_the_end(results.parent, arguments, undisturbed)


def test_read_only_results_are_one_sentence(results, undisturbed):
    mount("-o", "remount,size=100m", results)
    arguments = started(results.parent)
    status, printed = run(results.parent, *arguments, "--until", "split_dataset")
    assert status == 0, printed[-3000:]
    mount("-o", "remount,ro", results)
    status, printed = run(results.parent, *arguments)
    assert status and "results: cannot be written to" in sentence(printed)
    print("read-only results", sentence(printed), sep=": ")
    mount("-o", "remount,rw", results)
    assert_same_in_the_end(results.parent, arguments, undisturbed)


def test_two_runs_at_once_are_told_of_the_lock(tmp_path, undisturbed):
    arguments = started(tmp_path)
    first = Running(tmp_path, *arguments)
    assert first.wait_for(["embed_patches"])
    os.killpg(first.process.pid, signal.SIGSTOP)  # so that it has not ended before the second looks
    second = subprocess.run(
        [sys.executable, "-m", "snakemake", *arguments], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    os.killpg(first.process.pid, signal.SIGCONT)
    assert second.returncode and "Directory cannot be locked" in second.stderr
    print("two runs at once", sentence(second.stderr), sep=": ")
    assert first.end()[0] == 0 and not differing(contents(tmp_path), undisturbed)


def test_wrong_clocks_hide_no_edit_and_change_no_result(tmp_path, undisturbed):
    arguments = started(tmp_path)
    assert run(tmp_path, *arguments)[0] == 0
    date_results(tmp_path, days=365)  # by a clock that was ahead
    assert not dry_run(tmp_path, *arguments).jobs
    scores = tmp_path / "data/images.csv"
    before = scores.read_text()
    scores.write_text(before.replace("90", "91"))
    assert {"index_dataset", "render_report"} <= dry_run(tmp_path, *arguments).rules
    scores.write_text(before)
    date_results(tmp_path, days=-730)  # by one that was behind
    assert_same_in_the_end(tmp_path, arguments, undisturbed)


def date_results(folder: Path, days: int) -> None:
    """Shift the times of all results."""
    for file in (folder / "results").rglob("*"):
        if file.is_file():
            os.utime(file, (file.stat().st_mtime + 86400 * days,) * 2)


@pytest.mark.parametrize("stage", ["split_dataset", "embed_patches", "train_student", "train_mlps"])
@pytest.mark.parametrize("damage", ["truncated", "changed byte"])
def test_damaged_result_is_named_and_never_taken_for_whole(finished, undisturbed, stage, damage):
    folder, arguments = finished
    suffix = "safetensors" if stage.startswith("train") else "parquet"
    file = next(file for file in (folder / "results" / stage).rglob(f"*.{suffix}") if "history" not in file.name)
    whole = file.read_bytes()
    place = len(whole) // 8  # of a table, in its values
    file.write_bytes(whole[:place] + (b"" if damage == "truncated" else bytes([whole[place] ^ 4]) + whole[place + 1 :]))
    for later in ("predict", "predict_mlps", "train_mlps", "studies"):  # that others read it again
        if later != stage:
            subprocess.run(["rm", "-r", folder / "results" / later], check=True)
    status, printed = run(folder, *arguments)
    assert status and file.name in sentence(printed) and "again" in sentence(printed)
    print(f"{damage} in {stage}", sentence(printed), sep=": ")
    file.unlink()
    assert_same_in_the_end(folder, arguments, undisturbed)
