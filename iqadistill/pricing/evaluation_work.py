"""The work of evaluating predictions and budgets, and of published methods that score whole images."""

import json

from iqadistill.config.jobs.job import Job
from iqadistill.config.jobs.trainings import ImageJob
from iqadistill.evaluation.budget_times import MEASURED
from iqadistill.pricing.counted_study import CountedStudy
from iqadistill.pricing.processes import PROCESS, PROCESS_WITH_TORCH, process_memory
from iqadistill.pricing.work import SCORE_ROW, WORKSPACE, Work

EIGENVECTORS = 9  # d^3 operations of an eigendecomposition of a symmetric matrix (d, d)
METRICS_OF_A_ROW = 50  # draws that cost as much as the metrics and the logistic of a row of predictions


def predict_images(counts: CountedStudy, job: Job) -> Work:
    """Decoding of whole images, which the statistics of a published method are computed from."""
    student = ImageJob(**job.names)
    images, pristine = counts.images(student.dataset), counts.plan.pristine_of(student)
    decoded = images.scored * images.effort
    if pristine:
        decoded += counts.images(pristine).total * counts.images(pristine).effort
    rows = len(counts.plan.splits_of(student.dataset)) * images.scored
    return Work(decoded=decoded, disk=SCORE_ROW * rows, memory=PROCESS + 24 * images.pixels)


def time_budgets(counts: CountedStudy, job: Job) -> Work:
    """Passes of a few images, each from its first patch and from all, once more to begin with."""
    flops = passes = 0.0
    for names in json.loads(job.params["names"]):
        images, patches = counts.images(names["dataset"]).total, counts.study.samplers[names["sampler"]].count
        seen = min(MEASURED, images) * (1 + patches) + patches
        passes, flops = passes + seen, flops + seen * counts.encoder(names).flops
    return Work(forward_passes=passes, encoder_flops=flops, memory=PROCESS_WITH_TORCH + WORKSPACE)


def score_budgets(counts: CountedStudy, job: Job) -> Work:
    """The ridge regressions of `learned`, one a split, on the embeddings of the training images' patches."""
    tables = {counts.plan.embeddings_file(table): table for table in counts.plan.embedded}
    flops = memory = 0.0
    for table in map(tables.__getitem__, job.inputs["embeddings"]):
        train, _ = counts.shares(table.dataset)
        rows = train * counts.study.samplers[table.sampler].count
        width, splits = counts.encoder(table._asdict()).width, len(counts.plan.random_splits_of(table.dataset))
        flops += job.params["students"] * splits * (2 * rows * width**2 + EIGENVECTORS * width**3)
        memory = max(memory, 24 * rows * width)
    return Work(selection_flops=flops, memory=process_memory(job) + memory)


def evaluate(counts: CountedStudy, _: Job) -> Work:
    """Statistics of all predictions: metrics, and draws of contents for official splits and other datasets."""
    plan, rows, drawn = counts.plan, 0.0, 0.0
    for mlps, variants in plan.mlp_jobs.items():
        rows += len(plan.splits_of(mlps.dataset)) * len(variants) * counts.images(mlps.dataset).scored
        drawn += len(variants) * _official_tests(counts, mlps.dataset)
    for students in plan.image_jobs:
        rows += len(plan.splits_of(students.dataset)) * counts.images(students.dataset).scored
        drawn += _official_tests(counts, students.dataset)
    rows += sum(counts.images(student.dataset).scored for student in plan.student_jobs)
    elsewhere = sum(counts.images(test.tested).scored for test in plan.cross_tests)
    drawn += elsewhere + sum(
        _official_tests(counts, student.dataset)
        for student in plan.student_jobs
        if student.split == plan.official_splits.get(student.dataset)
    )
    evaluated = METRICS_OF_A_ROW * (rows + elsewhere) + counts.study.evaluation.bootstrap * drawn
    disk, memory = 2 * SCORE_ROW * (rows + elsewhere), PROCESS + 400 * (rows + elsewhere)
    return Work(evaluated=evaluated, disk=disk, memory=memory)


def _official_tests(counts: CountedStudy, dataset: str) -> float:
    """Test images of the official split of a dataset, if students are trained on it."""
    official = dataset in counts.plan.official_splits
    return counts.study.evaluation.test_fraction * counts.images(dataset).scored if official else 0.0
