"""The work of training teachers and deep students, and of scoring images with them."""

import math

from iqadistill.config.experiments import sampler_for
from iqadistill.config.jobs.job import Job
from iqadistill.config.jobs.trainings import EVERY_IMAGE, StudentJob, TeacherJob
from iqadistill.models.settings import DeepStudentSettings, TeacherSettings, TrainingSettings
from iqadistill.pricing.counted_study import CountedStudy, cutting_effort
from iqadistill.pricing.networks import NetworkCount, count_backbone, count_network
from iqadistill.pricing.processes import PROCESS_WITH_TORCH
from iqadistill.pricing.work import SCORE_ROW, WORKSPACE, Work
from iqadistill.selection.base import keep_count
from iqadistill.training.deep.epoch_reader import windows_of_epoch

CACHED_PATCH = 64_000  # bytes of a patch's cached outputs: four maps of 64 channels and 7 x 7 cells, and some means


def pretrain_teacher(counts: CountedStudy, job: Job) -> Work:
    """A training on all patches, and the references of a teacher that has any."""
    teacher = TeacherJob(**job.names)
    settings: TeacherSettings = counts.study.teachers[teacher.teacher]
    patches, size = counts.study.samplers[teacher.sampler].count, int(job.params["size"])
    network = count_network(settings, size)
    work = _training(counts, settings, network, teacher.dataset, teacher.sampler, teacher.split, patches, size)
    work.cut += settings.reference_patches() * size**2
    return work


def train_student(counts: CountedStudy, job: Job) -> Work:
    """A training on kept patches, and passes through its teachers."""
    student = StudentJob(**job.names)
    settings, size = counts.study.deep_students[student.student], int(job.params["size"])
    kept = keep_count(counts.study.samplers[student.sampler].count, student.keep)
    network = count_network(settings, size)
    work = _training(counts, settings, network, student.dataset, student.sampler, str(student.split), kept, size)
    _add_teachers(counts, work, settings, student, kept, size)
    return work


def predict(counts: CountedStudy, job: Job) -> Work:
    """Scores of all scored images, of the student's dataset or of another one; two passes of a patch where it flips."""
    names = dict(job.names)
    tested = str(names.pop("tested", names["dataset"]))
    student = StudentJob(**names)
    sampler = sampler_for(counts.study, tested, student.sampler) if tested != student.dataset else student.sampler
    settings, images = counts.study.deep_students[student.student], counts.images(tested)
    keep = student.keep if job.inputs["selection"] else 1.0
    patches = counts.scoring_patches(job, sampler, keep)
    times, size = 2 if job.params["flip"] else 1, settings.size or counts.study.samplers[student.sampler].size
    network, scored = count_network(settings, size), images.scored * patches
    return Work(
        forward_passes=times * scored,
        forward_flops=times * scored * network.flops,
        decoded=images.scored * images.effort_of(counts.scale(tested, sampler, size)),
        cut=scored * size**2 * cutting_effort(counts.study.samplers[sampler]),
        disk=SCORE_ROW * images.scored,
        memory=PROCESS_WITH_TORCH + 4 * network.parameters + 16 * network.activations + 24 * images.pixels,
    )


def _training(
    counts: CountedStudy,
    settings: TrainingSettings,
    network: NetworkCount,
    dataset: str,
    sampler: str,
    split: str,
    kept: int,
    size: int,
) -> Work:
    """A training on some patches of each training image; validation takes all."""
    train, validated = counts.shares(dataset)
    if split == EVERY_IMAGE:
        train, validated = counts.images(dataset).scored, 0.0
    patches = counts.study.samplers[sampler].count
    passes = settings.epochs * train * min(kept, settings.patches_per_epoch or kept)
    scored = settings.epochs * validated * patches
    piece = -(-settings.batch_size // settings.accumulation)
    work = Work(
        trainings=1,
        training_passes=passes * settings.views,
        forward_passes=scored,
        training_flops=passes * settings.views * network.training_flops,
        forward_flops=scored * network.flops,
        disk=4 * network.parameters,
        memory=PROCESS_WITH_TORCH + WORKSPACE + 16 * network.parameters + piece * settings.views * network.activations,
    )
    _add_reading(counts, work, settings, dataset, sampler, train, validated, kept, size)
    return work


def _add_reading(
    counts: CountedStudy,
    work: Work,
    settings: TrainingSettings,
    dataset: str,
    sampler: str,
    train: float,
    validated: float,
    kept: int,
    size: int,
) -> None:
    """Decoding, cutting and memory of a training, see `iqadistill.training.deep.epoch_reader.epoch_reader`."""
    scale, patch = counts.scale(dataset, sampler, size), 3 * size**2
    effort, memory = counts.images(dataset).effort_of(scale), settings.memory_gb * 2**30
    placed = counts.study.samplers[sampler]
    flat, cutting = placed.kind == "flat", size**2 * cutting_effort(placed)
    all_validated = validated * placed.count
    fits = (train * kept + all_validated) * patch <= memory
    again = 1 if fits else settings.epochs
    work.decoded += again * validated * effort
    work.cut += again * all_validated * cutting
    if fits and settings.crops == "fixed":
        work.decoded += train * effort
        work.cut += train * kept * cutting
        work.memory += (train * kept + all_validated) * patch
        return
    planned = train * min(kept, settings.patches_per_epoch or kept)
    held = train * counts.images(dataset).bytes_of(scale) if flat else math.inf
    windows, whole = windows_of_epoch(planned, patch, held, settings.mix_patches, memory)
    work.decoded += (1 if windows == 1 and not whole else settings.epochs) * train * effort
    work.cut += settings.epochs * planned * cutting
    work.memory += 2 * planned * patch / windows if whole else min(held, memory)


def _add_teachers(
    counts: CountedStudy, work: Work, settings: DeepStudentSettings, job: StudentJob, kept: int, size: int
) -> None:
    """Passes of frozen teachers: a patch that comes again, flipped the same way, is found in their cache.

    Fresh crops never come again. The cache is in memory and beyond that in a temporary file, see `TeacherOutputCache`;
    a student whose settings give it neither has none.
    """
    teachers = [counts.study.teachers[name] for name in settings.teachers().values()]
    if not teachers:
        return
    memory, disk = (2**30 * getattr(settings, name, 0.0) for name in ("teacher_memory_gb", "teacher_disk_gb"))
    train, _ = counts.shares(job.dataset)
    distinct = seen = work.training_passes / settings.views
    if settings.crops == "fixed" and train:
        looks = 2 ** len(settings.flips)
        distinct = train * kept * looks * (1 - (1 - 1 / looks) ** (seen / (train * kept)))
    outputs = CACHED_PATCH * distinct
    held = min(memory, outputs)
    filed = min(disk, outputs - held)
    share = (held + filed) / outputs if outputs else 0.0
    passes = seen - share * (seen - distinct)
    for teacher in teachers:
        pool = teacher.reference_patches()
        flops = count_backbone(teacher, size)
        work.forward_passes += passes + pool
        work.forward_flops += (passes + pool) * flops
        work.memory += 4 * count_network(teacher, size).parameters
    work.memory += held
    work.temporary += filed
