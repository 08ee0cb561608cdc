from itertools import pairwise

import numpy as np
import pytest

from iqadistill.models.settings import TrainingSettings
from iqadistill.training.deep.epoch_plan import EpochPlanner

COUNTS = np.array([7, 1, 12, 5, 9, 9, 3, 8, 8, 10])
OWNER = np.repeat(np.arange(len(COUNTS)), COUNTS)


def planner(seed=0, split=0, windows=1, **settings):
    return EpochPlanner(COUNTS, TrainingSettings(**settings), seed, split, windows)


def test_every_patch_is_used_once_per_epoch():
    for windows in (1, 3, 10_000):
        assert sorted(planner(windows=windows).plan(0).rows) == list(range(COUNTS.sum()))


def test_patches_per_epoch_are_drawn_again_for_each_epoch():
    drawn = [planner(patches_per_epoch=4).plan(epoch).rows for epoch in range(40)]
    for rows in drawn:
        assert len(set(rows)) == len(rows)
        assert (np.bincount(OWNER[rows]) == np.minimum(COUNTS, 4)).all()
    assert len(set(np.concatenate(drawn))) == COUNTS.sum()
    assert planner(patches_per_epoch=4).patches == np.minimum(COUNTS, 4).sum()


def test_batches_mix_images():
    rows = planner().plan(0).rows
    firsts = rows[: len(COUNTS)]
    assert sorted(OWNER[firsts]) == list(range(len(COUNTS)))
    assert not (np.diff(OWNER[rows]) == 0).sum() > 5  # except for the last patches of the longest image


def test_each_image_is_in_one_of_the_given_windows():
    plan = planner(windows=3).plan(3)
    images = [set(OWNER[plan.rows[start:end]]) for start, end in pairwise(plan.windows)]
    assert len(images) == 3 and sum(map(len, images)) == len(COUNTS)
    assert plan.windows[-1] == COUNTS.sum()


@pytest.mark.parametrize("size", [1, 7, 8, 100])
def test_batch_sizes_differ_by_at_most_one(size):
    sizes = np.diff(planner(batch_size=size).bounds)
    assert sizes.sum() == COUNTS.sum() and sizes.max() <= size and np.ptp(sizes) <= 1


def test_plan_depends_on_epoch_seed_and_split():
    first = planner().plan(0).rows
    assert (first == planner().plan(0).rows).all()
    for other in (planner().plan(1), planner(seed=1).plan(0), planner(split=1).plan(0)):
        assert (first != other.rows).any()
    assert len({planner().noise_seed(0), planner().noise_seed(1), planner(seed=1).noise_seed(0)}) == 3


def test_half_of_the_patches_are_flipped_in_given_directions():
    flips = np.concatenate([planner(flips=("vertical",)).plan(epoch).flips for epoch in range(20)])
    assert not flips[:, 0].any() and 0.45 < flips[:, 1].mean() < 0.55
    assert not planner(flips=()).plan(0).flips.any()


def test_flip_of_a_patch_does_not_depend_on_other_patches():
    every, some = planner().plan(2), planner(patches_per_epoch=3).plan(2)
    flipped = dict(zip(every.rows, every.flips[:, 0], strict=True))
    assert all(flipped[row] == flip for row, flip in zip(some.rows, some.flips[:, 0], strict=True))
