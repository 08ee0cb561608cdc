import numpy as np
import pandas as pd
import pytest
import torch
from PIL import Image

from iqadistill.errors import InputError
from iqadistill.models import create_model
from iqadistill.models.rkiqt.nar_teacher import NARTraining
from iqadistill.models.settings import TrainingSettings
from iqadistill.tables import as_table, read_table, write_table
from iqadistill.training.deep.references import read_reference_pool
from iqadistill.training.deep.training import train_network

SIDE = 8


@pytest.fixture
def table_files(tmp_path):
    """Table files of three grey references with a white distorted image each; contents 0 and 1 are for training."""
    images, patches = [], []
    for index in range(6):
        content, reference = index % 3, index < 3
        grey = 50 * (content + 1) if reference else 255
        path = tmp_path / f"{index}.png"
        Image.fromarray(np.full((32, 32, 3), grey, np.uint8)).save(path)
        images.append(
            {"dataset": "own", "image_id": str(index), "path": str(path), "width": 32, "height": 32, "status": "ok"}
            | {"is_reference": reference, "reference_id": str(content)}
        )
        patches += [
            {"patch_id": 10 * index + k, "image_id": str(index), "order": k, "x": k, "y": 0, "size": SIDE}
            for k in range(4)
        ]
    roles = ["train", "train", "test"]
    splits = [{"split": 1, "image_id": str(3 + content), "role": role} for content, role in enumerate(roles)]
    tables = {"images": images, "patches": [{**patch, "weight": 1.0} for patch in patches], "splits": splits}
    for name, rows in tables.items():
        write_table(as_table(pd.DataFrame(rows), name), tmp_path / f"{name}.parquet", name)
    return [tmp_path / f"{name}.parquet" for name in tables]


def grey_values(pool):
    """Grey value of each patch of the pool, sorted."""
    return sorted(pool.patches[:, 0, 0, 0].tolist())


def test_pool_holds_patches_of_references_only(table_files):
    assert grey_values(read_reference_pool(table_files[:2], 3, SIDE)) == [50, 100, 150]
    assert grey_values(read_reference_pool(table_files[:2], 100, SIDE)) == sorted([50, 100, 150] * 4)


def test_references_of_test_contents_are_excluded_if_splits_are_given(table_files):
    assert grey_values(read_reference_pool(table_files, 100, SIDE, split=1)) == sorted([50, 100] * 4)


def test_drawn_patches_depend_on_seed_and_have_the_given_size(table_files):
    pools = [read_reference_pool(table_files[:2], 2, 16, seed=seed) for seed in range(6)]
    assert {pool.patches.shape for pool in pools} == {(2, 3, 16, 16)}
    assert len({tuple(grey_values(pool)) for pool in pools}) > 1


def test_dataset_without_references_is_refused(table_files):
    with pytest.raises(InputError, match=r"patches\.parquet: .*pristine"):
        read_reference_pool(table_files, 3, SIDE, split=0)


def train_teacher(table_files, side=32):
    """Weights of a NAR-teacher trained on the target dataset with its own references."""
    tables = {
        name: read_table(file, name) for name, file in zip(("images", "patches", "splits"), table_files, strict=True)
    }
    frame = tables["images"].to_pandas()
    tables["images"] = as_table(frame.assign(quality=frame.reference_id.astype(float) / 2), "images")
    torch.manual_seed(0)
    small = {"cells": 2, "width": 4, "mixer_width": 8, "difference_depth": 1, "image_depth": 1}
    teacher = create_model("nar_teacher", backbone="test_resnet", size=side, **small)
    training = NARTraining(teacher, read_reference_pool(table_files, 8, side, split=1))
    variant = dict.fromkeys(("sampler", "encoder", "selector", "student", "train_dataset", "teacher"), "")
    settings = TrainingSettings(epochs=2, batch_size=4, lr=0.01)
    train_network(training, **tables, selection=None, keep=1.0, split=1, settings=settings, variant=variant, size=side)
    return teacher.state_dict()


def overwrite_with_noise(path):
    noise = np.random.default_rng(0).integers(0, 256, (32, 32, 3), np.uint8)
    Image.fromarray(noise).save(path)


def test_teacher_does_not_depend_on_images_of_test_contents(table_files, tmp_path):
    before = train_teacher(table_files)
    for tested in ("2.png", "5.png"):
        overwrite_with_noise(tmp_path / tested)
    again = train_teacher(table_files)
    assert all(torch.equal(before[name], again[name]) for name in before)
    overwrite_with_noise(tmp_path / "1.png")  # a reference of a training content
    other = train_teacher(table_files)
    assert not all(torch.equal(before[name], other[name]) for name in before)
