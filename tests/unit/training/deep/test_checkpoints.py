import os
from pathlib import Path

import pytest
import torch

from iqadistill.training.deep.checkpoints import Checkpoints, resumable


@pytest.fixture
def checkpoints(tmp_path):
    """Two successive checkpoints."""
    made = Checkpoints(tmp_path, seconds=60)
    for step in (1, 2):
        made.save({"w": torch.full((100,), float(step))}, {"step": step, "loss": float("nan"), "share": 0.1})
    return made


def test_newest_checkpoint_is_loaded(checkpoints):
    tensors, counters = checkpoints.load()
    assert tensors["w"].eq(2).all() and counters["step"] == 2 and counters["share"] == 0.1


@pytest.mark.parametrize("share", [0.0, 0.1, 0.9, 0.999])
def test_truncated_checkpoint_is_ignored(checkpoints, share, capfd):
    newest = checkpoints.folder / "newest.safetensors"
    content = newest.read_bytes()
    newest.write_bytes(content[: int(share * len(content))])
    tensors, counters = checkpoints.load()
    assert tensors["w"].eq(1).all() and counters["step"] == 1
    assert "newest.safetensors" in capfd.readouterr().err


def test_previous_checkpoint_is_loaded_after_kill_between_renames(checkpoints):
    newest = checkpoints.folder / "newest.safetensors"
    newest.replace(checkpoints.folder / "previous.safetensors")
    (checkpoints.folder / f".newest.safetensors.{os.getpid()}.partial").write_bytes(b"half")
    assert checkpoints.load()[1]["step"] == 2
    assert [file.name for file in checkpoints.folder.iterdir()] == ["previous.safetensors"]


def test_without_a_checkpoint_nothing_is_loaded(tmp_path):
    assert Checkpoints(tmp_path / "none", seconds=60).load() is None


def test_checkpoints_are_due_after_the_given_time(tmp_path):
    assert Checkpoints(tmp_path, seconds=0).due
    assert not Checkpoints(tmp_path, seconds=1e6).due


def test_checkpoint_folder_depends_on_parameters_and_input_content(tmp_path):
    first, second = tmp_path / "first", tmp_path / "second"
    first.write_text("same")
    second.write_text("same")

    def folder(params, file):
        with resumable(tmp_path / "stage", "out", params, [file]) as checkpoints:
            return checkpoints.folder

    assert folder({"lr": 1, "epochs": 2}, first) == folder({"epochs": 2, "lr": 1}, second)
    assert folder({"lr": 1}, first) != folder({"lr": 2}, first)
    before = folder({"lr": 1}, first)
    first.write_text("other")
    assert folder({"lr": 1}, first) != before


def test_checkpoints_are_deleted_only_if_the_job_succeeds(tmp_path):
    def job(fails):
        with resumable(tmp_path, "out", {}, []) as checkpoints:
            checkpoints.of("split", 0).save({}, {})
            if fails:
                raise RuntimeError("machine")

    with pytest.raises(RuntimeError, match="machine"):
        job(fails=True)
    assert len(list(Path(tmp_path).rglob("newest.safetensors"))) == 1
    job(fails=False)
    assert not list(tmp_path.iterdir())


def test_successful_job_keeps_checkpoints_of_other_jobs(tmp_path):
    """Two splits of a student differ in their outputs only."""
    with resumable(tmp_path, "1.safetensors", {}, []) as running:
        running.save({"w": torch.ones(2)}, {"step": 1})
        with resumable(tmp_path, "0.safetensors", {}, []) as done:
            done.save({"w": torch.zeros(2)}, {"step": 9})
        assert running.load()[1]["step"] == 1
