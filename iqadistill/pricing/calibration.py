"""A calibration within a fixed time: how fast this machine does what a study asks for."""

import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, replace
from functools import partial
from pathlib import Path
from statistics import mode

import numpy as np
import torch
from PIL import Image
from torch import nn

from iqadistill.config.jobs.plan import Plan
from iqadistill.encoders.inference import speed_up_inference
from iqadistill.encoders.settings import EncoderSettings
from iqadistill.images.decoding import read_image
from iqadistill.models.rkiqt.reference_pool import ReferencePool
from iqadistill.models.settings import DeepStudentSettings, TeacherSettings
from iqadistill.models.students.mlp import MlpSettings
from iqadistill.panorama.viewports import extract_viewports
from iqadistill.patches.crops import extract_crops
from iqadistill.pricing.counted_study import cutting_effort
from iqadistill.pricing.embedding_work import selection_calls, selection_flops
from iqadistill.pricing.networks import count_encoder, count_network
from iqadistill.pricing.rates import Rates, card_rates
from iqadistill.selection.settings import SelectorSettings
from iqadistill.training.deep.optimisation import NetworkOptimiser
from iqadistill.training.deep.training import create_accelerator
from iqadistill.training.mlp.stacked_mlps import StackedMlps, train_stack

SECONDS = 20.0  # of a calibration, which end it but for the repetition that is under way
_BATCH_FLOPS = {"cpu": 10e9, "cuda": 3e12}  # operations of a batch where its network allows, a fraction of a second
_LAUNCH = "import snakemake.cli, iqadistill.config.jobs.plan"
_IMPORTS = "import pandas, pyarrow.parquet, iqadistill.tables"
_TORCH_IMPORTS = "import gc; gc.disable(); import torch, pandas, pyarrow.parquet"  # as `workflow_scripts/job.py` does
_TIMM_IMPORTS = f"{_TORCH_IMPORTS}, timm"
_LAUNCHES = (
    2.5  # a launch in starts of Snakemake: it also reads the study, asks for the job's files, and waits a little
)


Work = Callable[[], float]
"""A repetition of some work; returns how much it did, in pixels, operations or processes."""


class Budget:
    """Time that measurements share: each is given an equal part of what is left when it begins.

    However slow the machine is, no repetition begins after the time is over. Work is to be small: what has begun is
    completed.

    Args:
        seconds: Time of all measurements.
        measurements: Their number.
        clock: Time in seconds.
    """

    def __init__(self, seconds: float, measurements: int, clock: Callable[[], float] = time.perf_counter):
        self._clock, self._begin, self._seconds, self._open = clock, clock(), seconds, measurements

    @property
    def used(self) -> float:
        """Seconds since the beginning."""
        return self._clock() - self._begin

    def rate(self, prepare: Callable[[], Work]) -> float | None:
        """How much of some work is done in a second; None where no time is left to measure it.

        The first repetition, which warms up, counts only if there is no time for another.

        Args:
            prepare: Makes the work; its time is part of the measurement's.
        """
        left = self._seconds - self.used
        end = self.used + left / max(1, self._open)
        self._open -= 1
        if left <= 0:
            return None
        work = prepare()
        times: list[float] = []
        amounts: list[float] = []
        while not times or self.used < end:
            begin = self.used
            amounts.append(work())
            times.append(self.used - begin)
        return sum(amounts[1:] or amounts) / sum(times[1:] or times)


def calibrate(plan: Plan, device: str, seconds: float, clock: Callable[[], float] = time.perf_counter) -> Rates:
    """Measure what the study's work takes: its most frequent networks, decoding, selection, the start of a job.

    On the CPU networks run in one thread, as their jobs do. What the study does not have, or what no time is left for,
    keeps the assumed rate, on cores in proportion to how fast this core decodes.

    Args:
        plan: The study's jobs.
        device: "cpu" or "cuda:N".
        seconds: Time of all measurements.
        clock: Time in seconds.
    """
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        starts = {
            "launch": _LAUNCH,
            "imports": _IMPORTS,
            "torch_imports": _TORCH_IMPORTS,
            "timm_imports": _TIMM_IMPORTS,
        }
        works = {**_networks(plan, device), **_embeddings(plan, device), "cutting": _cutting(plan)}
        budget = Budget(seconds, 1 + len(starts) + len(works), clock)
        with tempfile.TemporaryDirectory() as folder:
            decoding = budget.rate(_decoding(Path(folder))) or Rates().decoding
        measured = {name: rate for name, prepare in works.items() if (rate := budget.rate(prepare))}
        for name, imports in starts.items():
            if rate := budget.rate(_process(imports)):
                measured[name] = (_LAUNCHES if name == "launch" else 1) / rate
        rates = Rates(**asdict(_assumed(device, speed=decoding / Rates().decoding)) | measured)
    finally:
        torch.set_num_threads(threads)
    where = f"{device} and one core" if rates.card else "one core"
    return replace(rates, source=f"measured here in {budget.used:.0f} s on {where}")


def _assumed(device: str, speed: float) -> Rates:
    """Assumed rates, those of a core as many times as fast as this one decodes."""
    rates = Rates() if device == "cpu" else card_rates()
    cores = ["decoding", "cutting", "rendering", "searching", "evaluating", "selection"]
    cores += [] if rates.card else ["encoder", "forward", "training", "mlp"]
    faster = {name: getattr(rates, name) * speed for name in cores}
    starts = ("launch", "imports", "torch_imports", "timm_imports", "drawing")
    slower = {name: getattr(rates, name) / speed for name in starts}
    return Rates(**asdict(rates) | faster | slower)


def _process(imports: str) -> Callable[[], Work]:
    """The start of a process that imports modules; the first repetition brings them to hand."""

    def start() -> float:
        subprocess.run([sys.executable, "-c", imports], check=True)
        return 1

    return lambda: start


def _wait(device: str) -> None:
    if device != "cpu":
        torch.cuda.synchronize(device)


def _example(side: int) -> np.ndarray:
    """An image (side, side, 3) as smooth and as noisy as a photograph, roughly."""
    rng = np.random.default_rng(0)
    coarse = Image.fromarray(rng.integers(0, 256, (side // 32, side // 32, 3), dtype=np.uint8))
    smooth = np.asarray(coarse.resize((side, side), Image.Resampling.BICUBIC), dtype=float)
    return (smooth + rng.normal(0, 3, smooth.shape)).clip(0, 255).astype(np.uint8)


def _decoding(folder: Path) -> Callable[[], Work]:
    file, side = folder / "image.png", 1024

    def prepare() -> Work:
        Image.fromarray(_example(side)).save(file)
        return lambda: float(read_image(file)[..., 0].size)

    return prepare


def _cutting(plan: Plan) -> Callable[[], Work]:
    """Pixels of patches, as of crops, of the study's sampler in use that takes longest."""
    samplers = [plan.study.samplers[name] for name in sorted({sampler for _, sampler in plan.sampled})]
    sampler = max(samplers, key=cutting_effort)
    count = min(sampler.count, 16)

    def prepare() -> Work:
        image = torch.from_numpy(_example(max(1024, sampler.size))).permute(2, 0, 1)
        if cutting_effort(sampler) > 1:
            angles = np.linspace(-1, 1, count)
            cut = partial(extract_viewports, image, angles, angles / 2, 1.0, sampler.size)
        else:
            cut = partial(extract_crops, image, [0] * count, [0] * count, sampler.size)
        return lambda: cut()[:, 0].numel() * cutting_effort(sampler)

    return prepare


def _networks(plan: Plan, device: str) -> Mapping[str, Callable[[], Work]]:
    """Passes with and without gradient of the deep network that most jobs train."""
    study, kind = plan.study, torch.device(device).type
    trained: list[tuple[DeepStudentSettings | TeacherSettings, int]] = [
        (study.deep_students[job.student], study.samplers[job.sampler].size) for job in plan.student_jobs
    ]
    if not trained:
        return {}
    settings, sampled = mode(trained)
    size = settings.size or sampled
    counted = count_network(settings, size)
    batch = int(max(2, min(settings.batch_size, _BATCH_FLOPS[kind] / (counted.flops * 3 * settings.views))))

    def training() -> Work:
        possible = settings.precision if settings.precision == "bf16" or kind == "cuda" else "no"
        eager = settings.model_copy(update={"compile": False, "precision": possible})  # a compilation takes minutes
        accelerator = create_accelerator(eager, device)
        optimiser = NetworkOptimiser(_training_module(settings, size), eager, accelerator)
        optimiser.train()
        patches, quality, flips = _patches(batch, size), torch.rand(batch), torch.zeros(batch, 2, dtype=torch.bool)

        def step() -> float:
            optimiser.step(patches, quality, flips, seed=0, rate=1e-3)
            _wait(device)
            return batch * settings.views * counted.training_flops

        return step

    def forward() -> Work:
        network = settings.without_weights().create_network(size).eval()
        if kind == "cpu":
            network = speed_up_inference(network, lambda model, patches: model(patches), torch.rand(2, 3, size, size))
        network.to(device)
        patches = torch.rand(batch, 3, size, size, device=device).contiguous(memory_format=torch.channels_last)

        @torch.inference_mode()
        def score() -> float:
            network(patches)
            _wait(device)
            return batch * counted.flops

        return score

    return {"training": training, "forward": forward}


def _patches(count: int, size: int) -> torch.Tensor:
    """Patches (count, 3, size, size) of noise, uint8."""
    return torch.randint(0, 256, (count, 3, size, size), dtype=torch.uint8)


def _training_module(settings: DeepStudentSettings | TeacherSettings, size: int) -> nn.Module:
    """What is trained, without teachers; with random weights."""
    network = settings.without_weights().create_network(size)
    if isinstance(settings, DeepStudentSettings):
        return settings.distilled(network, {}, None)
    pool = ReferencePool(torch.zeros(4, 3, size, size, dtype=torch.uint8)) if settings.uses_references else None
    return settings.training_module(network, pool)


def _embeddings(plan: Plan, device: str) -> Mapping[str, Callable[[], Work]]:
    """The encoder in most use, and selection and MLPs on its embeddings."""
    study = plan.study
    tables = sorted(plan.embedded)
    if not tables:
        return {}
    table = mode([(table.sampler, table.encoder) for table in tables])
    sampler, settings = study.samplers[table[0]], study.encoders[table[1]]
    counted = count_encoder(settings, sampler.size)
    works = {"encoder": _encoding(settings, sampler.size, counted.flops, device)}
    ranked = [name for _, name in plan.rankings if hasattr(study.selectors[name], "solver")]
    if ranked:
        works["selection"] = _selecting(study.selectors[mode(sorted(ranked))], sampler.count, counted.width)
    students = [student for job in plan.mlp_jobs if isinstance(student := study.students[job.student], MlpSettings)]
    if students:
        works["mlp"] = _mlp(students[0], sampler.count, counted.width, device)
    return works


def _encoding(settings: EncoderSettings, size: int, flops: float, device: str) -> Callable[[], Work]:
    batch = int(max(2, min(16 if device == "cpu" else 256, _BATCH_FLOPS[torch.device(device).type] / flops)))

    def prepare() -> Work:
        encoder = settings.model_copy(update={"weights": "none"}).create(device)
        patches = _patches(batch, size)

        def embed() -> float:
            encoder.embed(patches).cpu()
            return batch * flops

        return embed

    return prepare


def _selecting(selector: SelectorSettings, count: int, width: int) -> Callable[[], Work]:
    flops = selection_flops(selector, count, width) + selection_calls(selector)
    most = int(np.clip(4e9 / flops, 1, 8))  # of more, one that takes many times as many iterations may hold up all

    def prepare() -> Work:
        rng = np.random.default_rng(0)
        centres = rng.normal(size=(4, width))
        embeddings = [centres[rng.integers(0, 4, count)] + rng.normal(size=(count, width)) for _ in range(most)]
        images = 1  # then twice as many each time: how long a system takes depends on the selector and is not known

        def select() -> float:
            nonlocal images
            selector.create().fit_many(embeddings[:images])
            done, images = images, min(2 * images, most)
            return done * flops

        return select

    return prepare


def _mlp(settings: MlpSettings, count: int, width: int, device: str) -> Callable[[], Work]:
    models, images, kept = 4, 2 * settings.batch_images, max(1, count // 2)
    parameters = settings.count_parameters(width)

    def prepare() -> Work:
        mlp = settings.create_network(width, torch.Generator().manual_seed(0))
        stack = StackedMlps.copies(mlp, models, device)
        patches = torch.rand(models, images, kept, width, device=device)
        present = torch.ones(images, kept, dtype=torch.bool, device=device)
        quality, once = torch.rand(images, device=device), settings.model_copy(update={"epochs": 1})
        generator = torch.Generator().manual_seed(0)

        def epoch() -> float:
            for _ in train_stack(stack, patches, present, quality, once, generator, lambda: []):
                _wait(device)
            return 6 * models * images * kept * parameters

        return epoch

    return prepare
