"""What trainings decode, cut and hold in memory, counted by hand."""

import copy

import pytest
from tiny_study import RAW, SCORED, TRAIN, one, plan_of, works_of

from iqadistill.pricing.counted_study import VIEWED
from iqadistill.pricing.images import count_images
from iqadistill.pricing.study_work import StudyWork

# Of gallery2d's images as they are held: 512 x 384 pixels, 382.5 of training, 25.5 of validation
HELD = TRAIN * 512 * 384 * 3
PATCH = 3 * 64**2


def reading(**student):
    """Images decoded, and crops cut, in the training of ADTRS: 2 epochs of 3 of its 4 patches."""
    entry = {**RAW["students"]["adtrs"], **student}
    work = one(works_of(students__adtrs=entry), "train_student", student="adtrs")
    images = count_images(plan_of(RAW), "gallery2d")
    return work.decoded / images.pixels, work.cut / 64**2


def test_images_are_decoded_once_where_their_patches_fit():
    assert reading() == pytest.approx((TRAIN + SCORED * 0.05, (TRAIN + SCORED * 0.05) * 4))


def test_images_that_are_held_are_decoded_once_and_fresh_crops_copied_from_them():
    validated = SCORED * 0.05
    copied = TRAIN * 3 * 2
    assert reading(crops="fresh") == pytest.approx((TRAIN + validated, validated * 4 + copied))
    # as many GiB as hold no more than half of the images: each epoch decodes all, of which windows are held
    half = reading(crops="fresh", memory_gb=HELD / 2 / 2**30, mix_patches=1)
    assert half == pytest.approx((2 * TRAIN + validated, validated * 4 + copied))


def test_images_are_decoded_in_each_epoch_where_nothing_fits():
    validated = SCORED * 0.05
    decoded, cut = reading(memory_gb=0.5 * TRAIN * 4 * PATCH / 2**30, mix_patches=1)
    assert decoded == pytest.approx(2 * (TRAIN + validated))
    assert cut == pytest.approx(2 * validated * 4 + TRAIN * 3 * 2)


def test_memory_of_a_training_follows_its_setting():
    entry = {**RAW["students"]["adtrs"], "crops": "fresh", "mix_patches": 1}
    memory = [
        one(works_of(students__adtrs={**entry, "memory_gb": gb}), "train_student", student="adtrs").memory
        for gb in (2.0, 0.0625)
    ]
    # too little for the images, so that the patches of an epoch are read at once, and the next ones meanwhile
    assert memory[0] - memory[1] == pytest.approx(HELD - 2 * TRAIN * 3 * PATCH)


def test_viewports_take_longer_to_cut_than_crops():
    raw = copy.deepcopy(RAW) | {"datasets": {"gallery360": {}}, "experiments": [{"figure": "rate_sweep"}]}
    cut = []
    for projection in ("viewport", "crop"):
        raw["samplers"] = (
            {"lat": {"count": 4, "size": 64, "projection": projection}}
            if projection == "viewport"
            else {"erp": {"count": 4, "size": 64, "projection": projection}}
        )
        plan = plan_of(raw)
        (job,) = [job for job in plan.jobs.values() if job.rule == "embed_patches"]
        cut.append(StudyWork(plan).of(job).cut)
    assert cut[0] == VIEWED * cut[1]
