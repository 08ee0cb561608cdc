"""Jobs of every stage killed at a random moment: the study ends with the bytes of an undisturbed run."""

from pathlib import Path

import pytest
from disturbed_study import Running, Workflow, contents, leftovers, moment, write_study

pytestmark = [pytest.mark.chaos, pytest.mark.xdist_group("kills")]

STAGES = (
    *("retrieve_dataset", "index_dataset", "split_dataset", "sample_patches", "embed_patches", "select_patches"),
    *("pretrain_teacher", "train_student", "train_student", "train_mlps", "predict", "predict_mlps", "evaluate"),
    *("compare", "collect_costs", "plot_selection", "plot_metrics", "render_report"),
)
LONGEST = {"pretrain_teacher": 5.0, "train_student": 5.0, "embed_patches": 3.0}  # seconds; other jobs take about one


def fresh(folder: Path) -> tuple[Workflow, list[str]]:
    """A copy of the workflow with the study, and the arguments that run it."""
    workflow = Workflow(folder)
    return workflow, ["--configfile", write_study(workflow)]


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory):
    """Digests of the results of a run on one core."""
    workflow, arguments = fresh(tmp_path_factory.mktemp("undisturbed"))
    running = Running(workflow.folder, "--cores", "1", *arguments)
    assert running.end() == 0, running.log.read_text()[-4000:]
    return contents(workflow.folder)


def differing(first: dict[str, str], second: dict[str, str]) -> list[str]:
    """Names of files that only one of two results has, or that differ."""
    return sorted(name for name in first | second if first.get(name) != second.get(name))


@pytest.mark.parametrize("whole", [False, True], ids=["job", "snakemake"])
def test_study_survives_a_kill_in_every_stage(tmp_path, undisturbed, whole, capsys):
    workflow, arguments = fresh(tmp_path)
    arguments = ["--cores", "1", *arguments]
    lines = []
    for place, stage in enumerate(STAGES):
        running = Running(tmp_path, *arguments)
        job = running.wait_for(stage)
        assert job is not None, f"{stage} did not run again:\n{running.log.read_text()[-4000:]}"
        seconds = moment(place + 100 * whole, stage, LONGEST.get(stage, 0.6))
        at_work = running.kill(stage, job, seconds, whole)
        running.end()
        if whole or not at_work:  # as its message says: no other run is active
            workflow.run("--unlock", *arguments)
        left = leftovers(tmp_path)
        shown = ", ".join(Path(name).name for name in left) or "nothing"
        lines.append(f"{stage:<18} {seconds:5.2f} s  {'in the job' if at_work else 'at its end'}  left: {shown}")
    running = Running(tmp_path, *arguments)
    assert running.end() == 0, running.log.read_text()[-4000:]
    different = differing(undisturbed, contents(tmp_path))
    logs = (tmp_path / "results/logs").rglob("*.log")
    resumed = sum("train: resumed from" in log.read_text(errors="replace") for log in logs)
    with capsys.disabled():
        print("\n" + "\n".join(lines), f"\n{resumed} trainings resumed; different: {different or 'nothing'}")
    assert not different
    assert not leftovers(tmp_path)
    assert resumed


def test_two_cores_give_the_bytes_of_one(tmp_path, undisturbed):
    workflow, arguments = fresh(tmp_path)
    running = Running(workflow.folder, "--cores", "2", *arguments)
    assert running.end() == 0, running.log.read_text()[-4000:]
    assert not differing(undisturbed, contents(workflow.folder))
