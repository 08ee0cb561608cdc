"""How the patches of an epoch are read: out of memory as far as it reaches, at fixed or at fresh places."""

import numpy as np
import pyarrow.compute as pc
import pytest
import torch
from tiny_networks import SIDE, TinyStudy

from iqadistill.errors import InputError
from iqadistill.models.settings import TrainingSettings
from iqadistill.patches import reading
from iqadistill.patches.store import PatchStore
from iqadistill.tables import as_table
from iqadistill.training.deep.batches import training_batches
from iqadistill.training.deep.epoch_plan import EpochPlanner
from iqadistill.training.deep.epoch_reader import epoch_reader

IMAGE = 40 * 32 * 3  # bytes
HELD = 8 * IMAGE / 2**30  # GiB for the 6 training images, but not for the 45 patches of training and validation


@pytest.fixture
def study(tmp_path):
    return TinyStudy(tmp_path)


def training_images(study, split=0):
    roles = study.splits.to_pandas()
    return sorted(roles.image_id[(roles.split == split) & (roles.role == "train")])


def made(study, memory_gb=HELD, names=None, size=None, seed=0, **settings):
    """The reader of some images, all those of training by default, and its planner."""
    names = names or training_images(study)
    chosen = TrainingSettings(**{"epochs": 3, "batch_size": 4} | settings)
    everything = sorted(set(study.images["image_id"].to_pylist()) - set(names))
    store = PatchStore(study.images, study.patches, [*names, *everything], size=size, memory_gb=memory_gb)
    reader = epoch_reader(store, study.images, names, chosen, seed=seed, size=size, workers=2, memory_gb=memory_gb)
    return reader, EpochPlanner(store.counts[: len(names)], chosen, seed, 0, reader.windows)


@pytest.fixture
def decoded(monkeypatch):
    """Paths of the images decoded so far."""
    paths, real = [], reading.read_image
    monkeypatch.setattr(reading, "read_image", lambda path, *scale: paths.append(path) or real(path, *scale))
    return paths


@pytest.mark.parametrize("size, images", [(None, 8), (12, 5), (20, 8)])
def test_crops_of_held_images_are_those_of_the_table(study, size, images):
    reader, _ = made(study, memory_gb=images * IMAGE / 2**30, size=size)
    assert reader.held is not None
    rows = np.random.default_rng(0).permutation(30)[:17]
    assert torch.equal(reader.fetch(rows, reader.corners(0)), reader.store.fetch(rows))


def test_crops_relative_to_the_image_are_held_reduced(study):
    rows = study.patches.to_pandas()
    study.patches = as_table(rows.assign(size=24, x=rows.x.clip(upper=16), y=rows.y.clip(upper=8)), "patches")
    reader, _ = made(study, size=SIDE)
    assert reader.held.nbytes.tolist() == [3 * 27 * 21] * 6
    rows = np.arange(30)
    assert torch.equal(reader.fetch(rows, reader.corners(0)), reader.store.fetch(rows))


def test_batches_are_mixed_from_as_many_images_as_memory_holds(study):
    """Only where images exceed the memory are there windows, of mix_patches patches at least."""
    for memory, mix, windows in ((1.0, 1, 1), (HELD, 1, 1), (HELD / 2, 1, 2), (HELD / 2, 2048, 1), (0, 10, 3)):
        reader, planner = made(study, memory, mix_patches=mix)
        assert (reader.windows, len(planner.plan(0).windows) - 1) == (windows, windows), (memory, mix)


@pytest.mark.parametrize("crops", ["fixed", "fresh"])
@pytest.mark.parametrize("memory, mix, passes", [(HELD, 1, 1), (HELD / 2, 1, 3), (0, 10, 3)])
def test_image_is_decoded_once_in_an_epoch_at_most(study, decoded, crops, memory, mix, passes):
    reader, planner = made(study, memory, mix_patches=mix, crops=crops)
    batches = list(training_batches(reader, planner))
    assert sum(len(patches) for patches, *_ in batches) == 3 * 30
    assert len(decoded) <= 6 * passes and len(set(decoded)) == 6


def test_fresh_crops_are_drawn_in_each_epoch(study):
    reader, _ = made(study, memory_gb=1.0, crops="fresh")
    drawn = [reader.corners(epoch) for epoch in range(3)]
    assert all((corners >= 0).all() and (corners <= [40 - SIDE, 32 - SIDE]).all() for corners in drawn)
    for image in range(6):
        places = np.concatenate([corners[5 * image : 5 * image + 5] for corners in drawn])
        assert len({tuple(place) for place in places[:5]}) == 5
        assert len({tuple(place) for place in places}) > 10


def test_fresh_crops_are_pixels_at_their_places(study):
    reader, _ = made(study, crops="fresh")
    corners, rows = reader.corners(1), np.array([3, 17, 29])
    names = training_images(study)
    paths = dict(zip(study.images["image_id"].to_pylist(), study.images["path"].to_pylist(), strict=True))
    for row, crop in zip(rows, reader.fetch(rows, corners), strict=True):
        x, y = corners[row]
        pixels = reading.read_image(paths[names[row // 5]])[y : y + SIDE, x : x + SIDE]
        assert torch.equal(crop, torch.from_numpy(pixels.copy()).permute(2, 0, 1))


def test_fresh_crops_depend_on_seed_epoch_and_image_only(study):
    """Neither on the other images, and so on the split, nor on memory, batches or the number of passes."""
    names = training_images(study)
    reader, _ = made(study, crops="fresh")
    alone, _ = made(study, memory_gb=0, names=names[2:3], crops="fresh", batch_size=1, epochs=9)
    assert (alone.corners(2) == reader.corners(2)[10:15]).all()
    other, _ = made(study, crops="fresh", seed=1)
    assert (other.corners(2) != reader.corners(2)).any()


@pytest.mark.parametrize("crops", ["fixed", "fresh"])
@pytest.mark.parametrize("step", [0, 3, 8, 11, 17])
def test_batches_from_a_step_on_are_those_of_the_whole_training(study, crops, step):
    reader, planner = made(study, crops=crops, patches_per_epoch=4)
    whole = list(training_batches(reader, planner))
    rest = list(training_batches(reader, planner, step))
    assert len(rest) == len(whole) - step == 18 - step
    for one, other in zip(whole[step:], rest, strict=True):
        assert all(torch.equal(a, b) for a, b in zip(one, other, strict=True))


def test_training_on_fresh_crops_resumes_within_an_epoch(study, tmp_path):
    from iqadistill.training.deep.checkpoints import Checkpoints
    from iqadistill.training.deep.training_run import TrainingRun

    settings = {"crops": "fresh", "epochs": 3}
    expected, _ = study.train(training=settings)
    fixed, _ = study.train(training={"epochs": 3})

    class Killed(Exception):
        pass

    real, steps = TrainingRun._save, []

    def save(run, checkpoints):
        real(run, checkpoints)
        steps.append(run.done.step)
        if len(steps) == 11:
            raise Killed

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(TrainingRun, "_save", save)
        with pytest.raises(Killed):
            study.train(training=settings, checkpoints=Checkpoints(tmp_path, seconds=0))
    assert steps[-1] == 11  # of 8 steps an epoch
    resumed, _ = study.train(training=settings, checkpoints=Checkpoints(tmp_path, seconds=0))
    weights, others = resumed.state_dict(), fixed.state_dict()
    assert all(torch.equal(weights[name], tensor) for name, tensor in expected.state_dict().items())
    assert any(not torch.equal(weights[name], tensor) for name, tensor in others.items())


def test_validation_stays_on_the_patches_of_the_table(study):
    """Moving them changes the validation, and nothing else."""
    _, first = study.train(training={"crops": "fresh", "lr": 1e-3})
    names = study.splits.to_pandas()
    held_out = set(names.image_id[(names.split == 0) & (names.role == "val")])
    rows = study.patches.to_pandas()
    rows.loc[~rows.image_id.isin(held_out), ["x", "y"]] = 0
    study.patches = as_table(rows, "patches")
    _, second = study.train(training={"crops": "fresh", "lr": 1e-3})
    assert first["val_srcc"].equals(second["val_srcc"]) and first["loss"].equals(second["loss"])


def test_fresh_crops_of_viewports_or_kept_patches_are_refused(tmp_path):
    with pytest.raises(InputError, match=r"crops.*fixed"):
        TinyStudy(tmp_path / "sphere", sphere=True).train(training={"crops": "fresh"})
    with pytest.raises(InputError, match=r"crops.*ranking"):
        TinyStudy(tmp_path / "flat").train(keep=0.4, training={"crops": "fresh"})


def test_crops_of_several_sizes_in_an_image_are_refused(study):
    sizes = pc.if_else(pc.equal(study.patches["patch_id"], 7), 12, 16)
    study.patches = as_table(study.patches.drop("size").append_column("size", sizes), "patches")
    with pytest.raises(InputError, match="several sizes"):
        made(study, names=["set/image00", "set/image01"], size=16, memory_gb=HELD / 8, mix_patches=1)
