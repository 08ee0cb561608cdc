import numpy as np
import pandas as pd
import pytest

from iqadistill.errors import InputError
from iqadistill.patches.kept import kept_patches
from iqadistill.tables import as_table
from iqadistill.training.mlp.patch_bank import PatchBank


def patches_of(study):
    frame = study.embeddings.to_pandas()[["patch_id", "image_id"]]
    return as_table(frame.iloc[np.random.default_rng(0).permutation(len(frame))], "patches")


@pytest.mark.parametrize("keep", [0.1, 0.3, 0.5, 0.75, 1.0])
def test_deep_students_keep_the_patches_the_mlp_keeps(toy_study, keep):
    study = toy_study()
    bank = PatchBank(study.embeddings, study.images["image_id"].to_pylist())
    rows, present = bank.kept("one", keep, study.selections)
    kept = kept_patches(patches_of(study), study.selections["one"], keep)
    assert set(kept["patch_id"].to_pylist()) == set(bank.patch_id[rows[present]])


def test_all_patches_need_no_selection(toy_study):
    patches = patches_of(toy_study())
    assert kept_patches(patches, None, 1.0).equals(patches)


def test_a_keep_rate_without_selection_and_a_missing_patch_are_refused(toy_study):
    study = toy_study()
    with pytest.raises(InputError, match=r"keep 0\.5: no selection"):
        kept_patches(patches_of(study), None, 0.5)
    lacking = as_table(pd.DataFrame(study.selections["one"].to_pandas().iloc[1:]), "selection")
    with pytest.raises(InputError, match="patch 0 of image 'image00' is missing"):
        kept_patches(patches_of(study), lacking, 0.5)
