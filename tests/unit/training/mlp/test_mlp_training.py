from dataclasses import replace

import numpy as np
import pandas as pd
import pyarrow.compute as pc
import pytest
import torch

from iqadistill.errors import InputError
from iqadistill.tables import as_table, embedding_matrix, embeddings_table
from iqadistill.training import Variant

RATES = [("one", 0.3), ("two", 0.3), ("one", 0.6), ("all", 1.0)]


def weights_of(mlps):
    """Variant -> weights and biases of its layers."""
    return {
        variant: [tensor[index] for tensor in (*mlps.stack.weights, *mlps.stack.biases)]
        for index, variant in enumerate(mlps.variants)
    }


def assert_same(first, second, tolerance):
    for variant in set(first) & set(second):
        for a, b in zip(first[variant], second[variant], strict=True):
            torch.testing.assert_close(a, b, rtol=tolerance, atol=tolerance)


@pytest.mark.parametrize("ragged", [True, False])
def test_stacked_training_equals_separate_trainings(toy_study, ragged):
    study = toy_study(ragged=ragged)
    together = weights_of(study.train(RATES))
    assert len(together) == 2 * len(RATES)
    for rate in RATES:
        alone = weights_of(study.train([rate]))
        assert len(alone) == 2
        assert_same(together, alone, 1e-4)


def test_selectors_that_keep_the_same_patches_share_a_model(toy_study):
    study = toy_study()
    apart = weights_of(study.train(RATES))
    study.selections["twin"] = study.selections["one"]
    together = study.train([("twin", 0.3), *RATES])
    weights = weights_of(together)
    assert len(weights) == len(apart) + 2
    assert_same(weights, apart, 1e-4)
    for variant in weights:
        if variant.selector == "twin":
            for ours, theirs in zip(weights[variant], weights[replace(variant, selector="one")], strict=True):
                assert torch.equal(ours, theirs)
    epochs = together.epochs.set_index(["selector", "keep", "split", "epoch"])
    assert epochs.index.is_unique
    pd.testing.assert_frame_equal(epochs.loc["twin"], epochs.loc["one"].loc[[0.3]])


def test_weights_do_not_depend_on_memory_limit(toy_study):
    study = toy_study()
    assert_same(weights_of(study.train(RATES)), weights_of(study.train(RATES, memory_gb=1e-9)), 1e-4)


def test_weights_do_not_depend_on_thread_count(toy_study):
    study, threads = toy_study(), torch.get_num_threads()
    try:
        torch.set_num_threads(1)
        single = study.train(RATES)
        torch.set_num_threads(3)
        several = study.train(RATES)
        assert torch.get_num_threads() == 3
    finally:
        torch.set_num_threads(threads)
    assert single.variants == several.variants
    assert_same(weights_of(single), weights_of(several), 0)


def test_weights_do_not_depend_on_row_order(toy_study):
    study = toy_study()
    first = weights_of(study.train(RATES))
    study.embeddings = study.embeddings.take(np.random.default_rng(0).permutation(len(study.embeddings)))
    study.splits = study.splits.take(np.arange(len(study.splits))[::-1])
    study.images = study.images.take(np.arange(len(study.images))[::-1])
    assert_same(first, weights_of(study.train(RATES)), 1e-5)


def test_weights_do_not_depend_on_test_images(toy_study):
    study = toy_study(splits=1)
    before = weights_of(study.train(RATES))
    tested = pc.is_in(
        study.embeddings["image_id"], study.splits.filter(pc.equal(study.splits["role"], "test"))["image_id"]
    ).to_numpy()
    vectors = embedding_matrix(study.embeddings).copy()
    vectors[tested] = 1e3
    study.embeddings = embeddings_table(
        study.embeddings["patch_id"].to_numpy(), study.embeddings["image_id"].to_pylist(), vectors
    )
    assert_same(before, weights_of(study.train(RATES)), 0)


def test_weights_do_not_depend_on_discarded_patches(toy_study):
    study = toy_study(splits=1)
    before = weights_of(study.train([("one", 0.3)]))
    ranks = study.selections["one"].to_pandas().set_index("patch_id")["rank"]
    vectors, patch_id = embedding_matrix(study.embeddings).copy(), study.embeddings["patch_id"].to_numpy()
    vectors[ranks[patch_id] >= 2] = -50.0  # at keep 0.3 no image of at most 6 patches keeps more than two
    study.embeddings = embeddings_table(patch_id, study.embeddings["image_id"].to_pylist(), vectors)
    assert_same(before, weights_of(study.train([("one", 0.3)])), 0)


def test_weights_depend_on_seed_and_split(toy_study):
    study = toy_study()
    first, second = weights_of(study.train([("one", 0.6)])), weights_of(study.train([("one", 0.6)], seed=1))
    assert not torch.allclose(first[Variant("one", 0.6, 0)][0], second[Variant("one", 0.6, 0)][0])
    assert not torch.allclose(first[Variant("one", 0.6, 0)][0], first[Variant("one", 0.6, 1)][0])


@pytest.mark.parametrize("loss", ["l1", "huber"])
def test_training_lowers_the_loss(toy_study, loss):
    history = toy_study(images=40).train([("all", 1.0)], epochs=20, dropout=[0.0], loss=loss).epochs
    by_epoch = history.groupby("epoch").loss.mean()
    assert by_epoch.iloc[-1] < 0.5 * by_epoch.iloc[0]


def test_history_has_every_epoch_of_every_variant(toy_study):
    study = toy_study(val=5)
    mlps = study.train(RATES)
    table = mlps.history(sampler="lat", encoder="lite0", student="mlp").to_pandas()
    assert len(table) == 3 * len(mlps.variants)
    assert table.val_srcc.between(-1, 1).all()
    assert (table.groupby(["selector", "keep", "split"]).step.max() == 3 * 3).all()  # 11 images in batches of 4
    kept = table[(table.selector == "all") & (table.split == 0) & (table.epoch == 0)].num_patches.item()
    roles = study.splits.to_pandas()
    trained = roles[(roles.split == 0) & (roles.role == "train")].image_id
    assert kept == study.embeddings.to_pandas().image_id.isin(trained).sum()


def test_validation_srcc_is_missing_without_validation_images(toy_study):
    assert toy_study().train([("all", 1.0)]).epochs.val_srcc.isna().all()


def test_weights_do_not_depend_on_validation_images(toy_study):
    study = toy_study(val=5)
    before = weights_of(study.train(RATES))
    roles = study.splits.to_pandas()
    roles["role"] = roles.role.replace("val", "test")
    study.splits = as_table(roles, "splits")
    assert_same(before, weights_of(study.train(RATES)), 0)


def test_constant_training_feature_is_ignored_in_prediction(toy_study):
    study = toy_study()
    vectors = embedding_matrix(study.embeddings).copy()
    vectors[:, 4] = 123.4
    study.embeddings = embeddings_table(
        study.embeddings["patch_id"].to_numpy(), study.embeddings["image_id"].to_pylist(), vectors
    )
    mlps = study.train([("all", 1.0)])
    x = torch.from_numpy(vectors[:5].copy())
    before = mlps.stack.scores(x)
    x[:, 4] = 999.0
    assert torch.equal(before, mlps.stack.scores(x))


def damage(study, kind):
    """Damage one table of the study."""
    if kind == "nan":
        vectors = embedding_matrix(study.embeddings).copy()
        vectors[3, 1] = np.nan
        study.embeddings = embeddings_table(
            study.embeddings["patch_id"].to_numpy(), study.embeddings["image_id"].to_pylist(), vectors
        )
    elif kind == "image":
        study.embeddings = study.embeddings.filter(pc.not_equal(study.embeddings["image_id"], "image03"))
    elif kind == "patch":
        study.selections["one"] = study.selections["one"].slice(1)
    elif kind == "quality":
        frame = study.images.to_pandas()
        frame.loc[2, "quality"] = np.nan
        study.images = as_table(frame, "images")
    elif kind == "train":
        study.splits = as_table(pd.DataFrame(study.splits.to_pandas().assign(role="test")), "splits")


@pytest.mark.parametrize(
    ("kind", "match"),
    [
        ("nan", "image 'image0[01]'.* finite"),
        ("image", "'image03'"),
        ("patch", "selection 'one': patch 0 .*'image00'"),
        ("quality", "'image02' .*quality"),
        ("train", "split 0 .*train"),
    ],
)
def test_incomplete_tables_are_refused(toy_study, kind, match):
    study = toy_study()
    damage(study, kind)
    with pytest.raises(InputError, match=match):
        study.train([("one", 0.5)])


@pytest.mark.parametrize(
    ("rates", "match"),
    [
        ([("three", 0.5)], "'three'.* 0.5"),
        ([("all", 0.5)], "'all'.* 0.5"),
        ([("one", 1.5)], "keep.* 1.5"),
        ([], "rates: "),
    ],
)
def test_invalid_rates_are_refused(toy_study, rates, match):
    with pytest.raises(InputError, match=match):
        toy_study().train(rates)
