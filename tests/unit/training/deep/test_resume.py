import os
import random
import re
import signal
import time
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from tiny_networks import SERVER, TinyNetwork, TinyStudy, train_in_a_process

from iqadistill.training.deep.checkpoints import Checkpoints


def train_and_kill(folder, weights, log, delays):
    """Train and kill the process after each delay in seconds, then train to the end; returns the number of kills.

    A delay starts with the first checkpoint.
    """
    kills = 0
    for delay in [*delays, None]:
        process = SERVER.Process(target=train_in_a_process, args=(folder, weights, log))
        process.start()
        while delay is not None and process.exitcode is None and not list(folder.rglob("newest.safetensors")):
            time.sleep(0.002)
        process.join(delay)
        if process.exitcode is None:
            os.kill(process.pid, signal.SIGKILL)
            process.join()
            kills += 1
    assert process.exitcode == 0
    return kills


@pytest.mark.slow
def test_killed_and_resumed_training_gives_the_same_weights(tmp_path):
    train_and_kill(tmp_path / "expected", tmp_path / "expected.safetensors", tmp_path / "expected.log", [])
    expected, draw, kills = load_file(tmp_path / "expected.safetensors"), random.Random(0), 0
    for name in ("first", "second"):
        weights, log = tmp_path / f"{name}.safetensors", tmp_path / f"{name}.log"
        kills += train_and_kill(tmp_path / name, weights, log, [draw.uniform(0, 0.2) for _ in range(2)])
        assert "train: resumed" in log.read_text()
        resumed = load_file(weights)
        assert expected.keys() == resumed.keys()
        assert all(torch.equal(expected[key], resumed[key]) for key in expected)
    assert kills >= 2


class Interrupted(TinyNetwork):
    """Is interrupted at a step."""

    def __init__(self, step):
        super().__init__()
        self.left = step

    def losses(self, patches, quality):
        """Losses of the tiny network."""
        self.left -= 1
        if self.left < 0:
            raise KeyboardInterrupt
        return super().losses(patches, quality)


@pytest.fixture
def study(tmp_path):
    return TinyStudy(tmp_path)


@pytest.fixture
def interrupted(study, tmp_path):
    """Checkpoints of a training that was interrupted in its second epoch."""
    checkpoints = Checkpoints(Path(tmp_path, "checkpoints"), seconds=0)
    with pytest.raises(KeyboardInterrupt):
        study.train(Interrupted(11), checkpoints=checkpoints)
    return checkpoints


def test_training_resumes_within_an_epoch(study, interrupted, capfd):
    network, history = study.train(checkpoints=interrupted)
    expected, complete = study.train()
    assert re.search(r"1 epoch.* 3 step", capfd.readouterr().err)
    torch.testing.assert_close(network.state_dict(), expected.state_dict(), rtol=0, atol=0)
    assert history.drop(["seconds", "peak_memory"]).equals(complete.drop(["seconds", "peak_memory"]))


@pytest.mark.parametrize(
    "changed", [{"seed": 6}, {"training": {"lr": 0.02}}, {"split": 1}, {"keep": 0.8}, {"network": TinyNetwork(seed=1)}]
)
def test_changed_parameter_restarts_training(study, interrupted, changed, capfd):
    study.train(checkpoints=interrupted, **changed)
    log = capfd.readouterr().err
    assert "from the beginning" in log and "resumed" not in log


def test_changed_training_quality_restarts_training(study, interrupted, capfd):
    frame, roles = study.images.to_pandas(), study.splits.to_pandas()
    image_roles = roles[roles.split == 0].set_index("image_id").role[frame.image_id].to_numpy()
    for role, message in (("test", "resumed from"), ("train", "from the beginning")):
        frame.loc[image_roles == role, "quality"] *= 0.5
        study.images = study.images.drop(["quality"]).append_column("quality", [frame.quality.to_numpy()])
        study.train(checkpoints=interrupted)
        assert message in capfd.readouterr().err


def test_finished_training_is_not_repeated(study, tmp_path):
    checkpoints = Checkpoints(Path(tmp_path, "checkpoints"), seconds=60)
    network, history = study.train(checkpoints=checkpoints)
    again, repeated = study.train(Interrupted(0), checkpoints=checkpoints)
    torch.testing.assert_close(network.state_dict(), again.state_dict(), rtol=0, atol=0)
    assert history.equals(repeated)
