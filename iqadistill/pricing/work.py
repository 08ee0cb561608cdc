"""The work of each job of a study, counted from its settings and the numbers of images alone."""

import functools
import itertools
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from iqadistill.config.experiments import RANDOM, Variant
from iqadistill.config.jobs import EVERY_IMAGE, ImageJob, Job, MlpJob, Plan, StudentJob, TeacherJob
from iqadistill.models.settings import DeepStudentSettings, TeacherSettings, TrainingSettings
from iqadistill.models.students.mlp import MlpSettings
from iqadistill.pricing.images import count_images
from iqadistill.pricing.networks import NetworkCount, count_backbone, count_encoder, count_network
from iqadistill.selection.base import keep_count
from iqadistill.selection.settings import SelectorSettings

STORE_BYTES = 2 * 2**30  # patches up to this size are decoded once, see `iqadistill.patches.store.PatchStore`
CACHE_BYTES = 2**30  # outputs of teachers that are cached, see `TeacherOutputCache`
CACHED_PATCH = 64_000  # bytes of a patch's cached outputs: four maps of 64 channels and 7 x 7 cells, and some means
ITERATIONS = {"irls": 100, "published": 50}  # of a residual selector; it takes more or fewer as the data have it
PROCESS, PROCESS_WITH_TORCH = 0.2e9, 0.7e9  # bytes of memory before any work
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
        cut: Pixels of patches that are cut.
        rendered: Pixels of images that are rendered.
        searched: Pixels of images that a sampler of scanpaths looks at.
        evaluated: Rows of predictions times bootstrap draws.
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
            "select_patches": self._select,
            "pretrain_teacher": self._teacher,
            "train_mlps": self._train_mlps,
            "predict_mlps": self._predict_mlps,
            "predict_patches": self._predict_patches,
            "train_random_draws": self._train_random_draws,
            "train_student": self._train_student,
            "predict": self._predict,
            "predict_cross": self._predict_cross,
            "predict_images": self._predict_images,
            "evaluate": self._evaluate,
        }
        if job.rule in counted:
            return counted[job.rule](job)
        return Work(memory=PROCESS_WITH_TORCH if job.rule == "plot_selection" else PROCESS)

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
        images, sampler = self.images(job.names["dataset"]), self.study.samplers[job.names["sampler"]]
        patches, network = images.total * sampler.count, self._encoder(job.names)
        stored = patches * network.width * (2 if self.study.encoders[job.names["encoder"]].dtype == "float16" else 4)
        return Work(
            forward_passes=patches,
            encoder_flops=patches * network.flops,
            decoded=images.total * images.effort,
            cut=patches * sampler.size**2,
            disk=stored,
            memory=PROCESS_WITH_TORCH + WORKSPACE + 2 * stored + 4 * network.parameters + 24 * images.pixels,
        )

    def _select(self, job: Job) -> Work:
        images, selector = self.images(job.names["dataset"]), self.study.selectors[job.names["selector"]]
        patches, width = self.study.samplers[job.names["sampler"]].count, self._encoder(job.names).width
        flops = images.total * selection_flops(selector, patches, width)
        rows = images.total * patches
        memory = PROCESS_WITH_TORCH + WORKSPACE + 24 * rows * width  # the table, and in double precision with a copy
        return Work(selection_flops=flops, disk=2 * RANK_ROW * rows, memory=memory)

    # Deep networks

    def _shares(self, dataset: str) -> tuple[float, float]:
        """Numbers of training and validation images of a split."""
        evaluation, scored = self.study.evaluation, self.images(dataset).scored
        train = scored * (1 - evaluation.test_fraction - evaluation.val_fraction)
        return train, scored * evaluation.val_fraction

    def _training(
        self,
        settings: TrainingSettings,
        network: NetworkCount,
        dataset: str,
        split: str,
        patches: int,
        kept: int,
        size: int,
    ) -> Work:
        """A training on some patches of each training image; validation takes all."""
        images, (train, validated) = self.images(dataset), self._shares(dataset)
        if split == EVERY_IMAGE:
            train, validated = images.scored, 0.0
        drawn = min(kept, settings.patches_per_epoch or kept)
        passes = settings.epochs * train * drawn * settings.views
        scored = settings.epochs * validated * patches
        stored = (train * kept + validated * patches) * 3 * size**2
        times = 1 if stored <= STORE_BYTES else settings.epochs
        piece = -(-settings.batch_size // settings.accumulation)
        memory = PROCESS_WITH_TORCH + WORKSPACE + 16 * network.parameters + piece * settings.views * network.activations
        return Work(
            trainings=1,
            training_passes=passes,
            forward_passes=scored,
            training_flops=passes * network.training_flops,
            forward_flops=scored * network.flops,
            decoded=times * (train + validated) * images.effort,
            cut=times * stored / 3,
            disk=4 * network.parameters,
            memory=memory + min(stored, STORE_BYTES, 2 * settings.mix_patches * 3 * size**2),
        )

    def _teacher(self, job: Job) -> Work:
        teacher = TeacherJob(**job.names)
        settings: TeacherSettings = self.study.teachers[teacher.teacher]
        patches, size = self.study.samplers[teacher.sampler].count, int(job.params["size"])
        network = count_network(settings, size)
        work = self._training(settings, network, teacher.dataset, teacher.split, patches, patches, size)
        work.cut += settings.reference_patches() * size**2
        return work

    def _train_student(self, job: Job) -> Work:
        student = StudentJob(**job.names)
        settings, size = self.study.deep_students[student.student], int(job.params["size"])
        patches, network = self.study.samplers[student.sampler].count, count_network(settings, size)
        kept = keep_count(patches, student.keep)
        work = self._training(settings, network, student.dataset, str(student.split), patches, kept, size)
        self._add_teachers(work, settings, student, kept, size)
        return work

    def _add_teachers(self, work: Work, settings: DeepStudentSettings, job: StudentJob, kept: int, size: int) -> None:
        """Passes of frozen teachers: a patch that comes again, flipped the same way, is found in their cache."""
        teachers = [self.study.teachers[name] for name in settings.teachers().values()]
        if not teachers:
            return
        train, _ = self._shares(job.dataset)
        seen = work.training_passes / settings.views
        looks = 2 ** len(settings.flips)
        times = seen / (train * kept) if train else 0.0
        distinct = train * kept * looks * (1 - (1 - 1 / looks) ** times)
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
        kept = self.study.evaluation.test_patches == "kept"
        return self._prediction(StudentJob(**job.names), job.names["dataset"], job.names["keep"] if kept else 1.0)

    def _predict_cross(self, job: Job) -> Work:
        names = dict(job.names)
        tested = str(names.pop("tested"))
        return self._prediction(StudentJob(**names), tested, 1.0)

    def _prediction(self, job: StudentJob, dataset: str, keep: float) -> Work:
        images, sampler = self.images(dataset), self.study.samplers[job.sampler]
        settings = self.study.deep_students[job.student]
        size = settings.size or sampler.size
        network, passes = count_network(settings, size), images.scored * keep_count(sampler.count, keep)
        return Work(
            forward_passes=passes,
            forward_flops=passes * network.flops,
            decoded=images.scored * images.effort,
            cut=passes * size**2,
            disk=SCORE_ROW * images.scored,
            memory=PROCESS_WITH_TORCH + 4 * network.parameters + 16 * network.activations + 24 * images.pixels,
        )

    # MLPs

    def _mlp(self, job: MlpJob) -> tuple[list[Variant], int, int, int]:
        """Variants of a job, number of splits, patches of an image and parameters of one MLP."""
        settings = self.study.students[job.student]
        assert isinstance(settings, MlpSettings)
        width = self._encoder(vars(job)).width
        widths = (width, *settings.hidden, 1)
        parameters = sum((before + 1) * after for before, after in itertools.pairwise(widths))
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
        stacked = min(STORE_BYTES, stacked)
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
        return Work(
            mlp_flops=2 * parameters * models * images.scored * patches,
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
            memory=PROCESS_WITH_TORCH + 2 * embeddings + STORE_BYTES,
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
        """Statistics of all predictions."""
        plan, rows = self.plan, 0.0
        for mlps, variants in plan.mlp_jobs.items():
            rows += len(plan.splits_of(mlps.dataset)) * len(variants) * self.images(mlps.dataset).scored
        for students in plan.image_jobs:
            rows += len(plan.splits_of(students.dataset)) * self.images(students.dataset).scored
        tested = [*(student.dataset for student in plan.student_jobs), *(test.tested for test in plan.cross_tests)]
        rows += sum(self.images(dataset).scored for dataset in tested)
        memory = PROCESS + 400 * rows
        return Work(evaluated=rows * self.study.evaluation.bootstrap, disk=2 * SCORE_ROW * rows, memory=memory)


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
