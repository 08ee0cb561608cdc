"""The work of each job of a study, counted from its settings and the numbers of images alone."""

import functools
import json
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from iqadistill.config.experiments import Variant, sampler_for
from iqadistill.config.jobs.job import Job
from iqadistill.config.jobs.plan import Plan
from iqadistill.config.jobs.trainings import EVERY_IMAGE, ImageJob, MlpJob, StudentJob, TeacherJob
from iqadistill.config.primaries import DRAWS
from iqadistill.evaluation.budget_times import MEASURED
from iqadistill.models.settings import DeepStudentSettings, TeacherSettings, TrainingSettings
from iqadistill.models.students.mlp import MlpSettings
from iqadistill.patches.reading import reduction
from iqadistill.pricing.images import count_images
from iqadistill.pricing.networks import NetworkCount, count_backbone, count_encoder, count_network
from iqadistill.sampling.settings import FlatSamplerSettings, SamplerSettings
from iqadistill.selection.base import keep_count
from iqadistill.selection.settings import SelectorSettings
from iqadistill.tables import RANDOM
from iqadistill.training.deep.epoch_reader import windows_of_epoch

STACK_BYTES = 2 * 2**30  # patches of stacked MLPs, see `iqadistill.training.mlp.training.train_mlps`
CACHE_BYTES = 2**30  # outputs of teachers that are cached, see `TeacherOutputCache`
COPIED = 0.1  # effort of a crop that is copied as bytes from an image in memory; other crops become floats in between
VIEWED = 12.0  # effort of a viewport, compared with a crop of as many pixels
CACHED_PATCH = 64_000  # bytes of a patch's cached outputs: four maps of 64 channels and 7 x 7 cells, and some means
ITERATIONS = {"irls": 4, "published": 50}  # of a residual selector; it takes more or fewer as the data have it
PROCESS, PROCESS_WITH_TORCH = 0.2e9, 0.7e9  # bytes of memory before any work
METRICS_OF_A_ROW = 50  # draws that cost as much as the metrics and the logistic of a row of predictions
THUMBNAIL = "iqadistill.selection.selectors.thumbnail"  # reads images, the only selector that needs PyTorch
WORKSPACE = 0.3e9  # bytes that convolutions and solvers take besides
IMAGE_ROW, PATCH_ROW, RANK_ROW, SCORE_ROW = 100, 24, 26, 9  # bytes of a row in the tables of these, compressed


@dataclass
class Work:
    """The work of a job.

    Attributes:
        trainings: Number of networks that are trained.
        forward_passes: Passes of a patch through a deep network or an encoder, without gradient.
        training_passes: Passes with gradient: forward and backward.
        encoder_flops: Operations of passes through encoders.
        forward_flops: Operations of the other passes without gradient.
        training_flops: Operations of passes with gradient.
        mlp_flops: Operations of MLPs.
        selection_flops: Operations of selectors.
        decoded: Pixels of images that are decoded, as of PNG files.
        cut: Pixels of patches that are cut, as of crops.
        rendered: Pixels of images that are rendered.
        searched: Pixels of images that a sampler of scanpaths looks at.
        evaluated: Rows of predictions times draws of contents.
        download: Bytes that are downloaded, or fetched by hand.
        disk: Bytes of results.
        memory: Bytes of memory at the peak, of the host or of the card.
    """

    trainings: int = 0
    forward_passes: float = 0.0
    training_passes: float = 0.0
    encoder_flops: float = 0.0
    forward_flops: float = 0.0
    training_flops: float = 0.0
    mlp_flops: float = 0.0
    selection_flops: float = 0.0
    decoded: float = 0.0
    cut: float = 0.0
    rendered: float = 0.0
    searched: float = 0.0
    evaluated: float = 0.0
    download: float = 0.0
    disk: float = 0.0
    memory: float = PROCESS

    @property
    def flops(self) -> float:
        """Operations of all networks and selectors."""
        return self.encoder_flops + self.forward_flops + self.training_flops + self.mlp_flops + self.selection_flops


class StudyWork:
    """The work of a study's jobs.

    Args:
        plan: The study's jobs.

    Attributes:
        missing: A sentence for each dataset that could not be counted; its work is left out.
    """

    def __init__(self, plan: Plan):
        self.plan, self.study = plan, plan.study
        self.images = functools.cache(lambda dataset: count_images(plan, dataset))
        datasets = dict.fromkeys(job.names["dataset"] for job in plan.jobs.values() if job.rule == "index_dataset")
        self.missing = [note for name in datasets if (note := self.images(name).missing)]

    def of(self, job: Job) -> Work:
        """The work of a job; nothing where its dataset could not be counted."""
        counted: Mapping[str, Callable[[Job], Work]] = {
            "retrieve_dataset": self._retrieve,
            "render_dataset": self._render,
            "index_dataset": self._index,
            "sample_patches": self._sample,
            "embed_patches": self._embed,
            "embed_shard": self._embed,
            "gather_shards": self._gather,
            "select_patches": self._select,
            "pretrain_teacher": self._teacher,
            "train_mlps": self._train_mlps,
            "predict_mlps": self._predict_mlps,
            "predict_patches": self._predict_patches,
            "train_random_draws": self._train_random_draws,
            "train_on_chosen": self._train_on_chosen,
            "train_student": self._train_student,
            "predict": self._predict,
            "predict_cross": self._predict,
            "predict_images": self._predict_images,
            "evaluate": self._evaluate,
            "time_budgets": self._time_budgets,
        }
        if job.rule in counted:
            return counted[job.rule](job)
        return Work(memory=PROCESS_WITH_TORCH if job.rule in ("plot_selection", "score_budgets") else PROCESS)

    # Datasets and patches

    def _retrieve(self, job: Job) -> Work:
        images = self.images(job.names["dataset"])
        return Work(download=images.download, disk=images.download + images.stored)

    def _render(self, job: Job) -> Work:
        images = self.images(job.names["dataset"])
        return Work(rendered=images.total * images.pixels, disk=images.stored, memory=PROCESS + 12 * images.pixels)

    def _index(self, job: Job) -> Work:
        images = self.images(job.names["dataset"])
        return Work(decoded=images.total * images.effort, disk=IMAGE_ROW * images.total)

    def _sample(self, job: Job) -> Work:
        images, sampler = self.images(job.names["dataset"]), self.study.samplers[job.names["sampler"]]
        looks = sampler.method == "sp" and not sampler.files()
        seen = images.total if looks else 0
        return Work(
            decoded=seen * images.effort,
            searched=seen * images.pixels,
            disk=PATCH_ROW * images.total * sampler.count,
        )

    # Embeddings and selection

    def _encoder(self, names: Mapping[str, str]) -> NetworkCount:
        return count_encoder(self.study.encoders[names["encoder"]], self.study.samplers[names["sampler"]].size)

    def _embed(self, job: Job) -> Work:
        """All patches of a table, or the part of one of several jobs."""
        images, sampler = self.images(job.names["dataset"]), self.study.samplers[job.names["sampler"]]
        network, embedded = self._encoder(job.names), images.total / job.params.get("shards", 1)
        patches = embedded * sampler.count
        size = self.study.encoders[job.names["encoder"]].size or sampler.size
        scale = self.scale(job.names["dataset"], job.names["sampler"], size)
        stored = self._stored(job) / job.params.get("shards", 1)
        return Work(
            forward_passes=patches,
            encoder_flops=patches * network.flops,
            decoded=embedded * images.effort_of(scale),
            cut=patches * sampler.size**2 * cutting_effort(sampler),
            disk=stored,
            memory=PROCESS_WITH_TORCH + WORKSPACE + 2 * stored + 4 * network.parameters + 24 * images.pixels,
        )

    def _gather(self, job: Job) -> Work:
        stored = self._stored(job)
        return Work(disk=stored, memory=PROCESS + 2 * stored)

    def _stored(self, job: Job) -> float:
        """Bytes of an embeddings table."""
        images, sampler = self.images(job.names["dataset"]), self.study.samplers[job.names["sampler"]]
        number = 2 if self.study.encoders[job.names["encoder"]].dtype == "float16" else 4
        return number * images.total * sampler.count * self._encoder(job.names).width

    def _select(self, job: Job) -> Work:
        images, selector = self.images(job.names["dataset"]), self.study.selectors[job.names["selector"]]
        patches, width = self.study.samplers[job.names["sampler"]].count, self._encoder(job.names).width
        flops = images.total * selection_flops(selector, patches, width)
        rows = images.total * patches
        process = PROCESS_WITH_TORCH if THUMBNAIL in job.modules else PROCESS
        memory = process + WORKSPACE + 24 * rows * width  # the table, and in double precision with a copy
        return Work(selection_flops=flops, disk=2 * RANK_ROW * rows, memory=memory)

    # Deep networks

    def _shares(self, dataset: str) -> tuple[float, float]:
        """Numbers of training and validation images of a split."""
        evaluation, scored = self.study.evaluation, self.images(dataset).scored
        train = scored * (1 - evaluation.test_fraction - evaluation.val_fraction)
        return train, scored * evaluation.val_fraction

    def scale(self, dataset: str, sampler: str, size: int) -> float:
        """Factor by which the images of a dataset are reduced before crops are cut to `size` from them."""
        images, settings = self.images(dataset), self.study.samplers[sampler]
        if not isinstance(settings, FlatSamplerSettings):
            return 1.0
        return reduction(settings.rule.crop_side(images.width, images.height), size)

    def _training(
        self,
        settings: TrainingSettings,
        network: NetworkCount,
        dataset: str,
        sampler: str,
        split: str,
        kept: int,
        size: int,
    ) -> Work:
        """A training on some patches of each training image; validation takes all."""
        train, validated = self._shares(dataset)
        if split == EVERY_IMAGE:
            train, validated = self.images(dataset).scored, 0.0
        patches = self.study.samplers[sampler].count
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
            memory=PROCESS_WITH_TORCH
            + WORKSPACE
            + 16 * network.parameters
            + piece * settings.views * network.activations,
        )
        self._add_reading(work, settings, dataset, sampler, train, validated, kept, size)
        return work

    def _add_reading(
        self,
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
        scale, patch = self.scale(dataset, sampler, size), 3 * size**2
        effort, memory = self.images(dataset).effort_of(scale), settings.memory_gb * 2**30
        placed = self.study.samplers[sampler]
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
        held = train * self.images(dataset).bytes_of(scale) if flat else math.inf
        windows, whole = windows_of_epoch(planned, patch, held, settings.mix_patches, memory)
        work.decoded += (1 if windows == 1 and not whole else settings.epochs) * train * effort
        work.cut += settings.epochs * planned * (COPIED * size**2 if flat else cutting)
        work.memory += 2 * planned * patch / windows if whole else min(held, memory)

    def _teacher(self, job: Job) -> Work:
        teacher = TeacherJob(**job.names)
        settings: TeacherSettings = self.study.teachers[teacher.teacher]
        patches, size = self.study.samplers[teacher.sampler].count, int(job.params["size"])
        network = count_network(settings, size)
        work = self._training(settings, network, teacher.dataset, teacher.sampler, teacher.split, patches, size)
        work.cut += settings.reference_patches() * size**2
        return work

    def _train_student(self, job: Job) -> Work:
        student = StudentJob(**job.names)
        settings, size = self.study.deep_students[student.student], int(job.params["size"])
        kept = keep_count(self.study.samplers[student.sampler].count, student.keep)
        network = count_network(settings, size)
        work = self._training(settings, network, student.dataset, student.sampler, str(student.split), kept, size)
        self._add_teachers(work, settings, student, kept, size)
        return work

    def _add_teachers(self, work: Work, settings: DeepStudentSettings, job: StudentJob, kept: int, size: int) -> None:
        """Passes of frozen teachers: a patch that comes again, flipped the same way, is found in their cache.

        Fresh crops never come again.
        """
        teachers = [self.study.teachers[name] for name in settings.teachers().values()]
        if not teachers:
            return
        train, _ = self._shares(job.dataset)
        distinct = seen = work.training_passes / settings.views
        if settings.crops == "fixed" and train:
            looks = 2 ** len(settings.flips)
            distinct = train * kept * looks * (1 - (1 - 1 / looks) ** (seen / (train * kept)))
        share = min(1.0, CACHE_BYTES / (CACHED_PATCH * distinct)) if distinct else 0.0
        passes = seen - share * (seen - distinct)
        for teacher in teachers:
            pool = teacher.reference_patches()
            flops = count_backbone(teacher, size)
            work.forward_passes += passes + pool
            work.forward_flops += (passes + pool) * flops
            work.memory += 4 * count_network(teacher, size).parameters
        work.memory += min(CACHE_BYTES, CACHED_PATCH * distinct)

    def _predict(self, job: Job) -> Work:
        """Scores of all scored images, of the student's own dataset or of another one; once more where it flips."""
        names = dict(job.names)
        tested = str(names.pop("tested", names["dataset"]))
        student = StudentJob(**names)
        sampler = sampler_for(self.study, tested, student.sampler) if tested != student.dataset else student.sampler
        settings, images = self.study.deep_students[student.student], self.images(tested)
        keep = student.keep if job.inputs["selection"] else 1.0
        patches = self._scoring_patches(job, sampler, keep)
        times, size = 2 if job.params["flip"] else 1, settings.size or self.study.samplers[student.sampler].size
        network, passes = count_network(settings, size), times * images.scored * patches
        return Work(
            forward_passes=passes,
            forward_flops=passes * network.flops,
            decoded=times * images.scored * images.effort_of(self.scale(tested, sampler, size)),
            cut=passes * size**2 * cutting_effort(self.study.samplers[sampler]),
            disk=SCORE_ROW * images.scored,
            memory=PROCESS_WITH_TORCH + 4 * network.parameters + 16 * network.activations + 24 * images.pixels,
        )

    def _scoring_patches(self, job: Job, sampler: str, keep: float) -> int:
        """Patches of an image that a prediction takes."""
        count = self.study.samplers[sampler].count
        taken = keep_count(count, keep) if job.params["test_patches"] == "kept" else count
        return min(taken, int(job.params["max_test_patches"]) or taken)

    # MLPs

    def _mlp(self, job: MlpJob) -> tuple[list[Variant], int, int, int]:
        """Variants of a job, number of splits, patches of an image and parameters of one MLP."""
        settings = self.study.students[job.student]
        assert isinstance(settings, MlpSettings)
        parameters = settings.count_parameters(self._encoder(vars(job)).width)
        splits = len(self.plan.splits_of(job.dataset))
        return self.plan.mlp_jobs[job], splits, self.study.samplers[job.sampler].count, parameters

    def _train_mlps(self, job: Job) -> Work:
        mlps = MlpJob(**job.names)
        variants, splits, patches, parameters = self._mlp(mlps)
        settings, width = self.study.students[mlps.student], self._encoder(job.names).width
        assert isinstance(settings, MlpSettings)
        train, validated = self._shares(mlps.dataset)
        kept = sum(keep_count(patches, keep) for _, keep in variants)
        models = splits * len(variants)
        seen = settings.epochs * splits * (3 * train * kept + validated * patches * len(variants))
        embeddings = 4 * self.images(mlps.dataset).total * patches * width
        rates = {keep: [rate for _, rate in variants].count(keep) for _, keep in variants}
        stacked = max(8 * count * train * keep_count(patches, keep) * width for keep, count in rates.items())
        stacked = min(STACK_BYTES, stacked)
        return Work(
            trainings=models,
            mlp_flops=2 * parameters * seen,
            disk=4 * models * parameters,
            memory=PROCESS_WITH_TORCH + 2 * embeddings + stacked + 4 * models * parameters,
        )

    def _predict_mlps(self, job: Job) -> Work:
        mlps = MlpJob(**job.names)
        variants, splits, patches, parameters = self._mlp(mlps)
        images, models = self.images(mlps.dataset), splits * len(variants)
        embeddings = 4 * images.total * patches * self._encoder(job.names).width
        scoring = sum(self._scoring_patches(job, mlps.sampler, keep) for _, keep in variants)
        return Work(
            mlp_flops=2 * parameters * splits * images.scored * scoring,
            disk=SCORE_ROW * models * images.scored,
            memory=PROCESS_WITH_TORCH + 2 * embeddings + 4 * models * parameters,
        )

    def _predict_patches(self, job: Job) -> Work:
        mlps = MlpJob(**job.names)
        _, splits, patches, parameters = self._mlp(mlps)
        images = self.images(mlps.dataset)
        embeddings = 4 * images.total * patches * self._encoder(job.names).width
        tested = images.scored * self.study.evaluation.test_fraction
        return Work(
            mlp_flops=2 * parameters * splits * images.scored * patches,
            disk=SCORE_ROW * splits * tested * patches,
            memory=PROCESS_WITH_TORCH + 2 * embeddings,
        )

    def _time_budgets(self, job: Job) -> Work:
        """Passes of a few images, each from its first patch and from all, once more to begin with."""
        flops = passes = 0.0
        for names in json.loads(job.params["names"]):
            images, patches = self.images(names["dataset"]).total, self.study.samplers[names["sampler"]].count
            seen = min(MEASURED, images) * (1 + patches) + patches
            passes, flops = passes + seen, flops + seen * self._encoder(names).flops
        return Work(forward_passes=passes, encoder_flops=flops, memory=PROCESS_WITH_TORCH + WORKSPACE)

    def _train_random_draws(self, job: Job) -> Work:
        """Trainings on random rankings, and the scores of the test images."""
        mlps = MlpJob(**job.names)
        draws = self.plan.random_draws[mlps]
        _, splits, patches, parameters = self._mlp(mlps)
        settings, width = self.study.students[mlps.student], self._encoder(job.names).width
        assert isinstance(settings, MlpSettings)
        train, _ = self._shares(mlps.dataset)
        images = self.images(mlps.dataset)
        kept = sum(count * keep_count(patches, keep) for keep, count in draws.items())
        models = splits * sum(draws.values())
        passes = 3 * settings.epochs * splits * train * kept + models * images.scored * patches
        embeddings = 4 * images.total * patches * width
        tested = images.scored * self.study.evaluation.test_fraction
        return Work(
            trainings=models,
            mlp_flops=2 * parameters * passes,
            disk=SCORE_ROW * models * tested,
            memory=PROCESS_WITH_TORCH + 2 * embeddings + STACK_BYTES,
        )

    def _train_on_chosen(self, job: Job) -> Work:
        """Trainings of equal steps on chosen and on random training images, and the scores of the test images."""
        mlps = MlpJob(**job.names)
        budgets, choosers = self.plan.choices[mlps]
        _, _, patches, parameters = self._mlp(mlps)
        splits = len(self.plan.random_splits_of(mlps.dataset))
        settings, width = self.study.students[mlps.student], self._encoder(job.names).width
        assert isinstance(settings, MlpSettings)
        (train, _), images = self._shares(mlps.dataset), self.images(mlps.dataset)
        students = len(choosers) + DRAWS
        steps = settings.epochs * train / settings.batch_images
        seen = settings.epochs * train + students * steps * sum(min(count, settings.batch_images) for count in budgets)
        models = splits * (1 + students * len(budgets))
        tested = images.scored * self.study.evaluation.test_fraction
        return Work(
            trainings=models,
            mlp_flops=2 * parameters * patches * (3 * splits * seen + models * tested),
            disk=SCORE_ROW * models * tested,
            memory=PROCESS_WITH_TORCH + 8 * images.total * patches * width + STACK_BYTES,
        )

    def _predict_images(self, job: Job) -> Work:
        """Decoding of whole images, which the statistics of a published method are computed from."""
        student = ImageJob(**job.names)
        images, pristine = self.images(student.dataset), self.plan.pristine_of(student)
        decoded = images.scored * images.effort
        if pristine:
            decoded += self.images(pristine).total * self.images(pristine).effort
        rows = len(self.plan.splits_of(student.dataset)) * images.scored
        return Work(decoded=decoded, disk=SCORE_ROW * rows, memory=PROCESS + 24 * images.pixels)

    def _evaluate(self, job: Job) -> Work:
        """Statistics of all predictions: metrics, and draws of contents for official splits and other datasets."""
        plan, rows, drawn = self.plan, 0.0, 0.0
        for mlps, variants in plan.mlp_jobs.items():
            rows += len(plan.splits_of(mlps.dataset)) * len(variants) * self.images(mlps.dataset).scored
            drawn += len(variants) * self._official_tests(mlps.dataset)
        for students in plan.image_jobs:
            rows += len(plan.splits_of(students.dataset)) * self.images(students.dataset).scored
            drawn += self._official_tests(students.dataset)
        rows += sum(self.images(student.dataset).scored for student in plan.student_jobs)
        elsewhere = sum(self.images(test.tested).scored for test in plan.cross_tests)
        drawn += elsewhere + sum(
            self._official_tests(student.dataset)
            for student in plan.student_jobs
            if student.split == plan.official_splits.get(student.dataset)
        )
        evaluated = METRICS_OF_A_ROW * (rows + elsewhere) + self.study.evaluation.bootstrap * drawn
        disk, memory = 2 * SCORE_ROW * (rows + elsewhere), PROCESS + 400 * (rows + elsewhere)
        return Work(evaluated=evaluated, disk=disk, memory=memory)

    def _official_tests(self, dataset: str) -> float:
        """Test images of the official split of a dataset, if students are trained on it."""
        official = dataset in self.plan.official_splits
        return self.study.evaluation.test_fraction * self.images(dataset).scored if official else 0.0


def cutting_effort(sampler: SamplerSettings) -> float:
    """Effort of cutting a sampler's patch from a decoded image, compared with a crop of as many pixels."""
    return VIEWED if sampler.kind == "sphere" and getattr(sampler, "projection", "viewport") == "viewport" else 1.0


def selection_flops(selector: SelectorSettings, patches: int, width: int) -> float:
    """Operations of a selector on one image, roughly: its n x n similarities, and a residual selector's iterations.

    Args:
        selector: Settings of the selector.
        patches: Number n of patches of the image.
        width: Length of an embedding.
    """
    if selector.method == RANDOM:
        return 0.0
    similarities = 2.0 * patches**2 * width
    solver = getattr(selector, "solver", None)
    if solver is None:
        return similarities
    components = min(int(getattr(selector, "n_components", 1)), patches)
    systems = 2 * patches**3 + 4 * patches * width * components + 2 * patches**2 * width
    return similarities + ITERATIONS[solver] * systems
