"""A killed training resumes after an edit of code that it does not use, and restarts after one of code it uses."""

import shutil
from pathlib import Path

import pytest
from tiny_networks import TinyNetwork, TinyStudy

from iqadistill import provenance
from iqadistill.config import Plan, check_study
from iqadistill.training.deep.checkpoints import resumable

REPOSITORY = Path(__file__).parents[4]
STUDY = {
    "name": "edited",
    "datasets": {"gallery2d": {}},
    "samplers": {"random_crops": {"count": 8, "size": 32}},
    "encoders": {"tiny": {"model": "test_resnet", "weights": "none"}},
    "selectors": {"residual": {"n_components": 4}},
    "keep": [0.5, 1.0],
    "students": {"adtrs": {"backbone": "test_resnet", "weights": "none", "splits": 1}},
    "experiments": [{"figure": "rate_sweep", "students": ["adtrs"]}],
}


@pytest.fixture
def code(tmp_path, monkeypatch):
    """A copy of the package and the scripts, of which code digests are taken."""
    for name in ("iqadistill", "workflow_scripts"):
        shutil.copytree(REPOSITORY / name, tmp_path / "code" / name, ignore=shutil.ignore_patterns("__pycache__"))
    monkeypatch.setattr(provenance, "__file__", str(tmp_path / "code/iqadistill/provenance.py"))
    forget_code()
    yield tmp_path / "code"
    monkeypatch.undo()
    forget_code()


def forget_code():
    """Let the next digest read the files again, as that of the next run of the workflow does."""
    for function in vars(provenance).values():
        if hasattr(function, "cache_clear"):
            function.cache_clear()


@pytest.fixture
def job():
    """The training of a student on all patches."""
    jobs = Plan(check_study(STUDY)).jobs.values()
    return next(job for job in jobs if job.rule == "train_student" and job.names["selector"] == "all")


def checkpoints_of(job, code, folder):
    """The checkpoints that the workflow with this code gives the job, as workflow_scripts/network_job.py does."""
    params = {**job.params, "code": provenance.code_digest(code / f"workflow_scripts/{job.rule}.py", job.modules)}
    return resumable(folder / "checkpoints", job.output, params, [], seconds=0)


def edit(code, name):
    """Edit a module of the copy."""
    with open(code / "iqadistill" / name, "a") as file:
        file.write("\n\nEDITED = 1\n")
    forget_code()


def test_path_of_the_checkpoints_changes_with_the_code_of_the_training_alone(tmp_path, code, job):
    def folder():
        with checkpoints_of(job, code, tmp_path) as checkpoints:
            return checkpoints.folder

    first = folder()
    for name in (
        "config/jobs/training_jobs.py",
        "datasets/splits.py",
        "evaluation/bootstrap.py",
        "models/rkiqt/student.py",
        "models/teachers/regressor.py",
        "selection/selectors/kcenter.py",
    ):
        edit(code, name)
    assert folder() == first
    seen = {first}
    for name in (
        "models/adtrs/student.py",
        "models/students/adtrs.py",
        "losses/ranking.py",
        "training/deep/epoch_plan.py",
    ):
        edit(code, name)
        assert folder() not in seen, name
        seen.add(folder())


class Killed(TinyNetwork):
    """The tiny network on a machine that stops at its eighth step."""

    steps = 0

    def losses(self, patches, quality):
        """Losses of the tiny network."""
        self.steps += 1
        if self.steps == 8:
            raise KeyboardInterrupt
        return super().losses(patches, quality)


@pytest.mark.parametrize(
    ("edited", "message"),
    [("models/rkiqt/student.py", "resumed from"), ("models/adtrs/student.py", "from the beginning")],
)
def test_killed_training_resumes_after_an_edit_of_another_model(tmp_path, code, job, edited, message, capfd):
    study = TinyStudy(tmp_path)
    with pytest.raises(KeyboardInterrupt), checkpoints_of(job, code, tmp_path) as checkpoints:
        study.train(Killed(), checkpoints=checkpoints)
    edit(code, edited)
    capfd.readouterr()
    with checkpoints_of(job, code, tmp_path) as checkpoints:
        study.train(checkpoints=checkpoints)
    assert message in capfd.readouterr().err
