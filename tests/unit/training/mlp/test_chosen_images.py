"""Students of chosen training images."""

import numpy as np
import pandas as pd
import pytest
import torch

from iqadistill.choosing import choose_images
from iqadistill.errors import InputError
from iqadistill.tables import as_table
from iqadistill.training.image_tables import qualities
from iqadistill.training.mlp import chosen_images
from iqadistill.training.mlp.chosen_images import predict_chosen, train_on_images
from iqadistill.training.mlp.patch_bank import PatchBank
from iqadistill.training.mlp.prediction import predict_mlps

NAMES = {"sampler": "random_crops", "encoder": "lite0", "student": "mlp"}
KEY = ["chooser", "budget", "draw", "split", "image_id"]


def predictions(study, budgets=(4, 8), choosers=("facility",), **settings):
    given = {"names": NAMES, "draws": 3, "seed": 3, **settings}
    table = predict_chosen(study.embeddings, study.images, study.splits, budgets, choosers, study.settings, **given)
    return table.to_pandas().set_index(KEY).sort_index()


def chosen_sets(study, monkeypatch):
    """The images that every student learns from, by its number of images."""
    seen = {}

    def record(bank, quality, chosen, settings, split, most, **given):
        seen[split, len(chosen[0])] = [list(images) for images in chosen]
        return train_on_images(bank, quality, chosen, settings, split, most, **given)

    monkeypatch.setattr(chosen_images, "train_on_images", record)
    predictions(study)
    return seen


def test_every_student_scores_every_test_image_once(toy_study):
    study = toy_study()
    rows = predictions(study)
    tested = study.splits.to_pandas().query("role == 'test'")
    assert rows.index.is_unique and len(rows) == (1 + 2 * (1 + 3)) * len(tested)
    assert set(rows.index.get_level_values("split")) == {0, 1} and rows.prediction.notna().all()
    assert set(rows.loc["all"].index.get_level_values("budget")) == {16}


def test_student_of_all_images_is_the_ordinary_student(toy_study):
    study = toy_study()
    mlps = study.train([("all", 1.0)], seed=3)
    expected = predict_mlps(mlps, study.embeddings, study.images, {}, **NAMES).to_pandas()
    expected = expected.set_index(["split", "image_id"]).prediction
    found = predictions(study).loc["all", 16, 0].prediction
    np.testing.assert_allclose(found, expected[found.index], rtol=1e-5, atol=1e-6)


def test_stacked_students_equal_those_trained_alone(toy_study):
    study = toy_study()
    bank = PatchBank(study.embeddings, sorted(study.images["image_id"].to_pylist()))
    quality = qualities(study.images, bank.image_ids)
    sets = [np.array([0, 3, 5, 9]), np.array([1, 2, 5, 8]), np.array([4, 6, 7, 11])]
    given = {"seed": 3, "memory": 2**30}
    together = train_on_images(bank, quality, sets, study.settings, 0, 16, **given)
    for model, images in enumerate(sets):
        alone = train_on_images(bank, quality, [images], study.settings, 0, 16, **given)
        scores = [stack.scores(bank.embeddings)[0] for stack in (together[[model]], alone)]
        torch.testing.assert_close(*scores, rtol=1e-4, atol=1e-5)


def test_scores_do_not_depend_on_memory(toy_study):
    study = toy_study()
    pd.testing.assert_frame_equal(predictions(study, memory_gb=1e-9), predictions(study), rtol=1e-4)


def test_images_are_chosen_without_scores_among_the_training_images_of_the_split(toy_study, monkeypatch):
    study = toy_study()
    seen = chosen_sets(study, monkeypatch)
    roles = study.splits.to_pandas()
    names = sorted(roles.image_id.unique())
    for (split, count), sets in seen.items():
        training = set(roles.image_id[(roles.split == split) & (roles.role == "train")])
        assert all({names[image] for image in images} <= training for images in sets)
        assert all(len(set(images)) == count for images in sets)
    images = study.images.to_pandas()
    study.images = as_table(images.assign(quality=images.quality[::-1].to_numpy()), "images")
    assert chosen_sets(study, monkeypatch) == seen


def test_a_larger_budget_keeps_the_images_of_a_smaller_one(toy_study, monkeypatch):
    seen = chosen_sets(toy_study(), monkeypatch)
    for split in (0, 1):
        for few, many in zip(seen[split, 4], seen[split, 8], strict=True):
            assert set(few) < set(many)
        draws = seen[split, 4][1:]
        assert len({tuple(images) for images in draws}) == 3


def test_choosers_see_the_mean_embedding_of_each_training_image(toy_study, monkeypatch):
    study, given = toy_study(), []

    def record(embeddings, count, **settings):
        given.append(embeddings)
        return choose_images(embeddings, count, **settings)

    monkeypatch.setattr(chosen_images, "choose_images", record)
    predictions(study)
    rows = study.embeddings.to_pandas()
    means = rows.groupby("image_id").embedding.apply(lambda vectors: np.mean(np.stack(vectors), axis=0))
    training = study.splits.to_pandas().query("split == 0 and role == 'train'").image_id.sort_values()
    np.testing.assert_allclose(given[0], np.stack(means[training]), rtol=1e-5)


def test_budget_of_all_training_images_is_refused(toy_study):
    with pytest.raises(InputError, match="budgets: 16, but split 0 has 16 training images"):
        predictions(toy_study(), budgets=(4, 16))
