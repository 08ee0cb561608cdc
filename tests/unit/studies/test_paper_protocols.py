"""Main tables keep the protocol of their paper, whatever is spared elsewhere."""

from pathlib import Path

import pytest
from contract import STUDIES, shipped_study

from iqadistill.config import Plan
from iqadistill.pricing.counted_study import CountedStudy
from iqadistill.training.deep.epoch_reader import windows_of_epoch


@pytest.fixture(scope="module")
def rkiqt():
    """The plan of the study of RKIQT."""
    (file,) = (file for file in STUDIES if file.stem == "paper_rkiqt")
    return Plan(shipped_study(file), Path())


def test_rkiqt_draws_ten_new_crops_in_each_of_nine_epochs(rkiqt):
    jobs = rkiqt.headline.student_jobs
    trained = [rkiqt.study.deep_students[job.student] for job in jobs]
    trained += [rkiqt.study.teachers[job.teacher] for job in rkiqt.headline.teacher_jobs]
    assert {(settings.epochs, settings.patches_per_epoch, settings.crops) for settings in trained} == {
        (9, None, "fresh")
    }
    assert {rkiqt.study.samplers[job.sampler].count for job in jobs} == {10}
    splits = {(job.dataset, job.student): 0 for job in jobs}
    for job in jobs:
        splits[job.dataset, job.student] += 1
    assert {dataset: count for (dataset, _), count in splits.items() if count != 10} == {"koniq10k": 11}  # and official
    assert len(splits) == 8 * 2


def test_rkiqt_scores_an_image_by_ten_crops(rkiqt):
    jobs = [job for job in rkiqt.jobs.values() if job.rule in ("predict", "predict_cross", "predict_mlps")]
    assert {(job.params["test_patches"], job.params["max_test_patches"]) for job in jobs} == {("all", 0)}
    assert {settings.count for settings in rkiqt.study.samplers.values()} == {10}


def test_rkiqt_ranks_fixed_crops_only(rkiqt):
    assert {job.student for job in rkiqt.student_jobs if job.selector != "all"} == {"rkiqt_fixed"}


def test_rkiqt_decodes_images_once_a_training_but_for_the_largest_dataset(rkiqt):
    counted, rereads = CountedStudy(rkiqt), set()
    for job in (*rkiqt.headline.student_jobs, *rkiqt.headline.teacher_jobs):
        name = getattr(job, "student", None)
        settings = rkiqt.study.deep_students[name] if name else rkiqt.study.teachers[job.teacher]
        share = 1.0 if getattr(job, "split", "") == "all" else 0.8
        scale = counted.scale(job.dataset, job.sampler, 224)
        images = share * counted.images(job.dataset).scored
        held, memory = images * counted.images(job.dataset).bytes_of(scale), settings.memory_gb * 2**30
        if windows_of_epoch(10 * images, 3 * 224**2, held, settings.mix_patches, memory) != (1, False):
            rereads.add(job.dataset)
    assert rereads == {"livefb"}
