"""The work of training MLPs on embeddings, and of scoring images with them."""

from iqadistill.config.experiments import Variant
from iqadistill.config.jobs.job import Job
from iqadistill.config.jobs.trainings import MlpJob
from iqadistill.config.primaries import DRAWS
from iqadistill.models.students.mlp import MlpSettings
from iqadistill.pricing.counted_study import CountedStudy
from iqadistill.pricing.processes import PROCESS_WITH_TORCH
from iqadistill.pricing.work import SCORE_ROW, Work
from iqadistill.selection.base import keep_count

STACK_BYTES = 2 * 2**30  # patches of stacked MLPs, see `iqadistill.training.mlp.training.train_mlps`


def train_mlps(counts: CountedStudy, job: Job) -> Work:
    """Trainings of every variant on every split."""
    mlps = MlpJob(**job.names)
    variants, splits, patches, parameters = _mlp(counts, mlps)
    settings, width = counts.study.students[mlps.student], counts.encoder(job.names).width
    assert isinstance(settings, MlpSettings)
    train, validated = counts.shares(mlps.dataset)
    kept = sum(keep_count(patches, keep) for _, keep in variants)
    models = splits * len(variants)
    seen = settings.epochs * splits * (3 * train * kept + validated * patches * len(variants))
    embeddings = 4 * counts.images(mlps.dataset).total * patches * width
    rates = {keep: [rate for _, rate in variants].count(keep) for _, keep in variants}
    stacked = max(8 * count * train * keep_count(patches, keep) * width for keep, count in rates.items())
    stacked = min(STACK_BYTES, stacked)
    return Work(
        trainings=models,
        mlp_flops=2 * parameters * seen,
        disk=4 * models * parameters,
        memory=PROCESS_WITH_TORCH + 2 * embeddings + stacked + 4 * models * parameters,
    )


def predict_mlps(counts: CountedStudy, job: Job) -> Work:
    """Scores of all scored images by every variant and split."""
    mlps = MlpJob(**job.names)
    variants, splits, patches, parameters = _mlp(counts, mlps)
    images, models = counts.images(mlps.dataset), splits * len(variants)
    embeddings = 4 * images.total * patches * counts.encoder(job.names).width
    scoring = sum(counts.scoring_patches(job, mlps.sampler, keep) for _, keep in variants)
    return Work(
        mlp_flops=2 * parameters * splits * images.scored * scoring,
        disk=SCORE_ROW * models * images.scored,
        memory=PROCESS_WITH_TORCH + 2 * embeddings + 4 * models * parameters,
    )


def predict_patches(counts: CountedStudy, job: Job) -> Work:
    """Scores of each patch of the test images by the student of all patches."""
    mlps = MlpJob(**job.names)
    _, splits, patches, parameters = _mlp(counts, mlps)
    images = counts.images(mlps.dataset)
    embeddings = 4 * images.total * patches * counts.encoder(job.names).width
    tested = images.scored * counts.study.evaluation.test_fraction
    return Work(
        mlp_flops=2 * parameters * splits * images.scored * patches,
        disk=SCORE_ROW * splits * tested * patches,
        memory=PROCESS_WITH_TORCH + 2 * embeddings,
    )


def train_random_draws(counts: CountedStudy, job: Job) -> Work:
    """Trainings on random rankings, and the scores of the test images."""
    mlps = MlpJob(**job.names)
    draws = counts.plan.random_draws[mlps]
    _, splits, patches, parameters = _mlp(counts, mlps)
    settings, width = counts.study.students[mlps.student], counts.encoder(job.names).width
    assert isinstance(settings, MlpSettings)
    train, _ = counts.shares(mlps.dataset)
    images = counts.images(mlps.dataset)
    kept = sum(count * keep_count(patches, keep) for keep, count in draws.items())
    models = splits * sum(draws.values())
    tested = images.scored * counts.study.evaluation.test_fraction
    passes = 3 * settings.epochs * splits * train * kept + models * tested * patches
    embeddings = 4 * images.total * patches * width
    return Work(
        trainings=models,
        mlp_flops=2 * parameters * passes,
        disk=SCORE_ROW * models * tested,
        memory=PROCESS_WITH_TORCH + 2 * embeddings + STACK_BYTES,
    )


def train_on_chosen(counts: CountedStudy, job: Job) -> Work:
    """Trainings of equal steps on chosen and on random training images, and the scores of the test images."""
    mlps = MlpJob(**job.names)
    budgets, choosers = counts.plan.choices[mlps]
    _, _, patches, parameters = _mlp(counts, mlps)
    splits = len(counts.plan.random_splits_of(mlps.dataset))
    settings, width = counts.study.students[mlps.student], counts.encoder(job.names).width
    assert isinstance(settings, MlpSettings)
    (train, _), images = counts.shares(mlps.dataset), counts.images(mlps.dataset)
    students = len(choosers) + DRAWS
    steps = settings.epochs * train / settings.batch_images
    seen = settings.epochs * train + students * steps * sum(min(count, settings.batch_images) for count in budgets)
    models = splits * (1 + students * len(budgets))
    tested = images.scored * counts.study.evaluation.test_fraction
    return Work(
        trainings=models,
        mlp_flops=2 * parameters * patches * (3 * splits * seen + models * tested),
        disk=SCORE_ROW * models * tested,
        memory=PROCESS_WITH_TORCH + 8 * images.total * patches * width + STACK_BYTES,
    )


def _mlp(counts: CountedStudy, job: MlpJob) -> tuple[list[Variant], int, int, int]:
    """Variants of a job, number of splits, patches of an image and parameters of one MLP."""
    settings = counts.study.students[job.student]
    assert isinstance(settings, MlpSettings)
    parameters = settings.count_parameters(counts.encoder(vars(job)).width)
    splits = len(counts.plan.splits_of(job.dataset))
    return counts.plan.mlp_jobs[job], splits, counts.study.samplers[job.sampler].count, parameters
