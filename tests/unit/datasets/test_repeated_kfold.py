import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from iqadistill.datasets import split_dataset
from iqadistill.datasets.uneven_test_sets import read_uneven
from iqadistill.errors import InputError
from iqadistill.tables import as_table

FRACTIONS = {2: 0.5, 3: 0.33, 4: 0.25, 5: 0.2, 10: 0.1}


def images(counts):
    """Images of contents with that many images each."""
    names = [f"{content}/{image}" for content, count in enumerate(counts) for image in range(count)]
    frame = {"image_id": names, "reference_id": [name.split("/")[0] for name in names], "score": 1.0, "status": "ok"}
    return as_table(pd.DataFrame({**frame, "is_reference": False}), "images")


def split(counts, *, splits=10, test_fraction=0.2, val_fraction=0.0, seed=0):
    table = split_dataset(
        images(counts), splits=splits, test_fraction=test_fraction, val_fraction=val_fraction, seed=seed
    )
    rows = table.to_pandas()
    return rows.assign(content=rows.image_id.str.split("/").str[0])


@st.composite
def studies(draw):
    """Numbers of images of contents, and settings of splits for them."""
    folds = draw(st.sampled_from(sorted(FRACTIONS)))
    counts = draw(st.lists(st.integers(1, 30), min_size=folds + 3, max_size=30))
    settings_of_splits = {"splits": draw(st.integers(1, folds)), "seed": draw(st.integers(0, 10**6))}
    return counts, folds, {"test_fraction": FRACTIONS[folds], **settings_of_splits}


@settings(max_examples=60, deadline=None)
@given(studies(), st.sampled_from([0.0, 0.05, 0.2]))
@pytest.mark.filterwarnings("ignore:test sets hold")
def test_contents_have_one_role_and_are_tested_once_a_repeat(study, val_fraction):
    counts, folds, chosen = study
    val_fraction = val_fraction if folds > 2 else 0.0  # one of two folds may be a single content
    rows = split(counts, val_fraction=val_fraction, **{**chosen, "splits": folds})
    assert (rows.groupby(["split", "content"]).role.nunique() == 1).all()
    assert (rows.groupby("split").image_id.nunique() == sum(counts)).all() and len(rows) == folds * sum(counts)
    assert (rows[rows.role == "test"].image_id.value_counts() == 1).all()
    assert (rows[rows.role == "test"].image_id.nunique()) == sum(counts)
    wanted = {"train", "test"} | ({"val"} if val_fraction else set())
    assert (rows.groupby("split").role.agg(set) == wanted).all()


@settings(max_examples=60, deadline=None)
@given(studies())
@pytest.mark.filterwarnings("ignore:test sets hold")
def test_folds_differ_by_no_more_than_the_images_of_one_content(study):
    counts, folds, chosen = study
    tested = split(counts, **{**chosen, "splits": folds}).query("role == 'test'").groupby("split").size()
    assert tested.max() - tested.min() <= max(counts)


@settings(max_examples=30, deadline=None)
@given(studies())
@pytest.mark.filterwarnings("ignore:test sets hold")
def test_splits_depend_on_the_seed_and_the_first_not_on_their_number(study):
    counts, folds, chosen = study
    chosen["val_fraction"] = 0.1 if folds > 2 else 0.0
    few, whole, again = (split(counts, **{**chosen, "splits": n}) for n in (chosen["splits"], folds, folds))
    pd.testing.assert_frame_equal(few, whole[: len(few)])
    pd.testing.assert_frame_equal(whole, again)


def test_other_seeds_give_other_splits():
    assert not split([3] * 12, seed=1).equals(split([3] * 12, seed=2))


def test_contents_with_equally_many_images_are_shared_out_equally():
    contents = split([9] * 17).query("role == 'test'").groupby("split").content.nunique()
    assert sorted(contents) == [3] * 6 + [4] * 4


@pytest.mark.parametrize("counts", [[3] * 20, list(range(10, 20)), [9] + [1] * 9])
@pytest.mark.filterwarnings("ignore:test sets hold")
def test_repeats_differ_and_the_last_may_be_partial(counts):
    tested = split(counts, splits=13).query("role == 'test'").groupby("split").content.agg(frozenset)
    repeats = [frozenset(tested[first : first + 5]) for first in (0, 5, 10)]
    assert repeats[0] != repeats[1] and len(repeats[2]) == 3
    assert [sorted(set().union(*folds)) == sorted(map(str, range(len(counts)))) for folds in repeats[:2]] == [True] * 2


def test_a_content_with_half_of_the_images_is_a_fold_by_itself():
    with pytest.warns(UserWarning, match=r"test sets hold 11 to 50 % of the images, not 20 %"):
        rows = split([9] + [1] * 9)
    tested = rows[rows.role == "test"].groupby("split").content.agg(set)
    assert sum(contents == {"0"} for contents in tested) == 2


@pytest.mark.filterwarnings("ignore:test sets hold")
@pytest.mark.parametrize("counts", [[1] * 60, list(range(1, 25))])
def test_validation_images_are_near_their_fraction(counts):
    rows = split(counts, val_fraction=0.1)
    share = rows.role.eq("val").groupby(rows.split).mean()
    assert share.between(0.05, 0.15).all()
    drawn = rows[rows.role == "val"].groupby("split").content.agg(frozenset)
    assert drawn.nunique() > 5


def test_balanced_splits_have_no_warning_in_their_metadata():
    table = split_dataset(images([3] * 20), splits=5, test_fraction=0.2, val_fraction=0, seed=0)
    assert not read_uneven(table)


@pytest.mark.parametrize(
    ("counts", "changes", "match"),
    [
        ([3] * 4, {}, "4 contents are too few for 5 folds; .*random_80_20"),
        ([3] * 5, {}, "5 contents allow only 5 different splits in 5 folds .*not 10; lower evaluation.splits"),
        ([3] * 5, {"splits": 5, "val_fraction": 0.8}, "5 contents leave none for training .*val_fraction"),
        ([3] * 9, {"test_fraction": 0.3}, r"test_fraction is 0\.3, .*give 0\.25 or 0\.333, .*random_80_20"),
        ([3] * 9, {"test_fraction": 0.9}, r"test_fraction is 0\.9, .*give 0\.5, or .*random_80_20"),
    ],
)
def test_impossible_folds_are_refused(counts, changes, match):
    with pytest.raises(InputError, match=match):
        split(counts, **changes)


@pytest.mark.filterwarnings("ignore:test sets hold")
def test_every_way_to_share_out_few_contents_is_found():
    assert split([1] * 6, splits=75).split.nunique() == 75  # two of six contents share a fold: 15 repeats of 5 folds
    with pytest.raises(InputError, match="6 contents allow only 75 different splits"):
        split([1] * 6, splits=76)
