import multiprocessing
import os
import random
import signal
import time
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from tiny_networks import TinyNetwork, TinyStudy, train_in_a_process

from iqadistill.training.deep.checkpoints import Checkpoints

# Children of a server that has imported everything once start at once and share no threads with the tests.
SERVER = multiprocessing.get_context("forkserver")
SERVER.set_forkserver_preload(["iqadistill.training.deep.training"])


def train_and_kill(folder, weights, log, moments):
    """Train, killed at each of the moments (seconds after the first checkpoint), then left alone; the kills before its end."""
    kills = 0
    for moment in [*moments, None]:
        process = SERVER.Process(target=train_in_a_process, args=(folder, weights, log))
        process.start()
        while moment is not None and process.exitcode is None and not any(Path(folder).rglob("newest.safetensors")):
            process.join(0.01)
        process.join(moment)
        if process.exitcode is None:
            os.kill(process.pid, signal.SIGKILL)
            process.join()
            kills += 1
    assert process.exitcode == 0
    return kills


def test_five_killed_trainings_end_with_the_weights_of_an_uninterrupted_one(tmp_path):
    files = {name: tmp_path / f"{name}.safetensors" for name in ("server_starts", "whole", *map(str, range(5)))}
    for name in ("server_starts", "whole"):
        begin = time.perf_counter()
        train_and_kill(tmp_path / name, files[name], tmp_path / f"{name}.log", [])
    whole = time.perf_counter() - begin
    expected, draw, kills = load_file(files["whole"]), random.Random(0), 0
    for name in map(str, range(5)):
        log, moments = tmp_path / f"{name}.log", [draw.uniform(0.0, 0.5) * whole for _ in range(2)]
        kills += train_and_kill(tmp_path / name, files[name], log, moments)
        assert "train: resumed" in log.read_text()
        found = load_file(files[name])
        assert expected.keys() == found.keys()
        assert all(torch.equal(expected[key], found[key]) for key in expected)
    assert kills >= 5


class Dying(TinyNetwork):
    """Fails at a step, as if the machine did."""

    def __init__(self, step):
        super().__init__()
        self.left = step

    def losses(self, patches, quality):
        """As the tiny network's."""
        self.left -= 1
        if self.left < 0:
            raise KeyboardInterrupt
        return super().losses(patches, quality)


@pytest.fixture
def study(tmp_path):
    return TinyStudy(tmp_path)


@pytest.fixture
def interrupted(study, tmp_path):
    """Checkpoints of a training that ended within its second epoch."""
    checkpoints = Checkpoints(Path(tmp_path, "checkpoints"), seconds=0)
    with pytest.raises(KeyboardInterrupt):
        study.train(Dying(11), checkpoints=checkpoints)
    return checkpoints


def test_training_goes_on_within_an_epoch_and_says_so(study, interrupted, capfd):
    network, history = study.train(checkpoints=interrupted)
    expected, whole = study.train()
    assert "after 1 epochs and 3 steps" in capfd.readouterr().err
    torch.testing.assert_close(network.state_dict(), expected.state_dict(), rtol=0, atol=0)
    assert history.drop(["seconds", "peak_memory"]).equals(whole.drop(["seconds", "peak_memory"]))


@pytest.mark.parametrize(
    "changed", [{"seed": 6}, {"recipe": {"lr": 0.02}}, {"split": 1}, {"keep": 0.8}, {"network": TinyNetwork(seed=1)}]
)
def test_a_changed_parameter_starts_from_the_beginning(study, interrupted, changed, capfd):
    study.train(checkpoints=interrupted, **changed)
    log = capfd.readouterr().err
    assert "training starts from the beginning" in log and "resumed" not in log


def test_a_changed_training_quality_starts_from_the_beginning_and_a_test_quality_does_not(study, interrupted, capfd):
    frame, roles = study.images.to_pandas(), study.splits.to_pandas()
    own = roles[roles.split == 0].set_index("image_id").role[frame.image_id].to_numpy()
    for role, message in (("test", "resumed from"), ("train", "training starts from the beginning")):
        frame.loc[own == role, "quality"] *= 0.5
        study.images = study.images.drop(["quality"]).append_column("quality", [frame.quality.to_numpy()])
        study.train(checkpoints=interrupted)
        assert message in capfd.readouterr().err


def test_a_finished_training_is_not_repeated(study, tmp_path):
    checkpoints = Checkpoints(Path(tmp_path, "checkpoints"), seconds=60)
    network, history = study.train(checkpoints=checkpoints)
    again, repeated = study.train(Dying(0), checkpoints=checkpoints)
    torch.testing.assert_close(network.state_dict(), again.state_dict(), rtol=0, atol=0)
    assert history.equals(repeated)
