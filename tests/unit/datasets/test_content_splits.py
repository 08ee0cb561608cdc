from functools import partial

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from iqadistill.datasets import split_dataset as split_dataset_by
from iqadistill.datasets.uneven_test_sets import read_uneven
from iqadistill.errors import InputError
from iqadistill.tables import as_table

split_dataset = partial(split_dataset_by, protocol="random_80_20")


def images(references, per_reference=3, **columns):
    counts = np.broadcast_to(per_reference, references)
    names = [f"{r}/{i}" for r, count in enumerate(counts) for i in range(count)]
    frame = {
        "image_id": names,
        "reference_id": [name.split("/")[0] for name in names],
        "score": np.arange(len(names), dtype=float),
        "status": "ok",
        "is_reference": False,
    }
    return as_table(pd.DataFrame({**frame, **columns}), "images")


@pytest.mark.filterwarnings("ignore:test sets hold")
@settings(max_examples=40, deadline=None)
@given(
    references=st.integers(5, 40),
    test_fraction=st.floats(0.05, 0.5),
    val_fraction=st.sampled_from([0.0, 0.1, 0.3]),
    seed=st.integers(0, 10**6),
)
def test_each_content_has_one_role_per_split(references, test_fraction, val_fraction, seed):
    table = images(references)
    rows = split_dataset(table, splits=3, test_fraction=test_fraction, val_fraction=val_fraction, seed=seed).to_pandas()
    rows = rows.merge(table.select(["image_id", "reference_id"]).to_pandas(), on="image_id")
    assert (rows.groupby(["split", "reference_id"]).role.nunique() == 1).all()
    assert (rows.groupby("split").image_id.nunique() == len(table)).all() and len(rows) == 3 * len(table)
    wanted = {"train", "test"} | ({"val"} if val_fraction else set())
    assert (rows.groupby("split").role.agg(set) == wanted).all()
    tested = rows[rows.role == "test"].groupby("split").reference_id.agg(lambda names: tuple(sorted(set(names))))
    assert tested.str.len().eq(max(1, round(test_fraction * references))).all()


def test_splits_depend_on_seed_and_differ():
    table = images(12)
    first, again, other = (
        split_dataset(table, splits=4, test_fraction=0.25, val_fraction=0, seed=seed) for seed in (1, 1, 2)
    )
    assert first.equals(again) and not first.equals(other)
    tested = first.to_pandas().query("role == 'test'").groupby("split").image_id.agg(tuple)
    assert tested.nunique() == 4


def test_first_splits_do_not_depend_on_the_number_of_splits():
    few, many = (split_dataset(images(12), splits=n, test_fraction=0.2, val_fraction=0, seed=0) for n in (2, 6))
    assert few.equals(many.slice(0, len(few)))


def test_draws_of_random_80_20_never_change():
    rows = split_dataset(images(8, 1), splits=3, test_fraction=0.25, val_fraction=0.1, seed=3).to_pandas()
    initials = rows.groupby("split").role.agg(lambda roles: "".join(role[1] for role in roles))  # rAin, vAl, tEst
    assert initials.tolist() == ["rraerrre", "rererarr", "rarrrree"]


def test_test_sets_of_other_sizes_than_wanted_are_reported():
    uneven = images(10, [9] + [1] * 9)
    with pytest.warns(UserWarning, match="test sets hold .* % of the images, not 20 %") as issued:
        table = split_dataset(uneven, splits=10, test_fraction=0.2, val_fraction=0, seed=0)
    assert read_uneven(table) == str(issued[0].message)
    assert not read_uneven(split_dataset(images(13), splits=10, test_fraction=0.2, val_fraction=0, seed=0))


def test_references_unscored_and_quarantined_images_are_excluded():
    table = images(6, per_reference=2).to_pandas()
    table.loc[0, "status"], table.loc[2, "is_reference"], table.loc[4, "score"] = "quarantined", True, None
    rows = split_dataset(as_table(table, "images"), splits=1, test_fraction=0.2, val_fraction=0, seed=0)
    assert not {"0/0", "1/0", "2/0"} & set(rows["image_id"].to_pylist()) and len(rows) == 9


def test_official_split_is_numbered_after_random_splits():
    given = ["train"] * 6 + ["val"] * 3 + ["test"] * 6
    table = images(5, official_role=given)
    rows = split_dataset(
        table, splits=3, test_fraction=0.2, val_fraction=0, seed=0, kinds=["random", "official"]
    ).to_pandas()
    assert sorted(rows.split.unique()) == [0, 1, 2, 3]
    assert rows[rows.split == 3].role.tolist() == given
    random = split_dataset(table, splits=3, test_fraction=0.2, val_fraction=0, seed=0).to_pandas()
    assert rows[rows.split < 3].equals(random)


def test_official_split_excludes_images_without_role():
    table = images(3, official_role=["train"] * 3 + [None] * 3 + ["test"] * 3)
    rows = split_dataset(table, splits=5, test_fraction=0.2, val_fraction=0, seed=0, kinds=["official"]).to_pandas()
    assert set(rows.split) == {5} and len(rows) == 6


@pytest.mark.parametrize(
    ("roles", "match"),
    [
        ([None] * 6, "official split"),
        (["train"] * 6, "official split .*train"),
        (["train", "train", "train", "train", "test", "test"], "official split .*'1'"),
    ],
)
def test_missing_or_overlapping_official_split_is_refused(roles, match):
    with pytest.raises(InputError, match=match):
        split_dataset(
            images(2, official_role=roles), splits=1, test_fraction=0.2, val_fraction=0, seed=0, kinds=["official"]
        )


@pytest.mark.parametrize(
    ("references", "changes", "match"),
    [
        (2, {"test_fraction": 0.9}, "2 references"),
        (3, {"splits": 9}, "3 references .* 3 .*9"),
        (5, {"test_fraction": 1.0}, "test_fraction"),
        (5, {"kinds": ["authors"]}, "kinds.*authors"),
        (5, {"protocol": "kfold"}, "protocol.*kfold.*repeated_kfold"),
        (0, {}, "no usable image"),
    ],
)
def test_impossible_split_is_refused(references, changes, match):
    with pytest.raises(InputError, match=match):
        split_dataset(images(references), **{"splits": 2, "test_fraction": 0.2, "val_fraction": 0, "seed": 0} | changes)
