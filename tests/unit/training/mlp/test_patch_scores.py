"""Scores of single patches."""

import numpy as np
import pytest
import torch

from iqadistill.errors import InputError
from iqadistill.tables import embedding_matrix
from iqadistill.training import Variant
from iqadistill.training.mlp.patch_scores import score_test_patches

NAMES = {"sampler": "lat", "encoder": "lite0"}


def test_patches_of_test_images_are_scored_by_the_student_of_their_split(toy_study):
    study = toy_study()
    mlps = study.train([("one", 0.5), ("all", 1.0)])
    table = score_test_patches(mlps, study.embeddings, study.images, study.splits, **NAMES).to_pandas()
    tested = study.splits.to_pandas().query("role == 'test'")
    patches = study.embeddings.to_pandas()[["patch_id", "image_id"]]
    expected = tested.merge(patches)[["split", "patch_id"]]
    assert sorted(table[["split", "patch_id"]].itertuples(index=False, name=None)) == sorted(
        expected.itertuples(index=False, name=None)
    )
    vectors = torch.from_numpy(embedding_matrix(study.embeddings).copy())
    for split, rows in table.groupby("split"):
        with torch.no_grad():
            scores = mlps.model(Variant("all", 1.0, split))(vectors).numpy()
        np.testing.assert_allclose(
            rows.score, scores[patches.set_index("patch_id").index.get_indexer(rows.patch_id)], atol=1e-5
        )
    assert (table[["dataset", "sampler", "encoder", "student"]] == ["toy", "lat", "lite0", "mlp"]).all(axis=None)


def test_students_on_all_patches_are_needed(toy_study):
    study = toy_study()
    with pytest.raises(InputError, match="all patches"):
        score_test_patches(study.train([("one", 0.5)]), study.embeddings, study.images, study.splits, **NAMES)
