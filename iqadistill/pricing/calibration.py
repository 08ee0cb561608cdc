"""A calibration of some seconds: how fast this machine does what a study asks for."""

import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from statistics import mode
from typing import TypedDict

import numpy as np
import torch
from PIL import Image
from torch import nn

from iqadistill.config.jobs import Plan
from iqadistill.encoders.settings import EncoderSettings
from iqadistill.images.decoding import read_image
from iqadistill.models.rkiqt.reference_pool import ReferencePool
from iqadistill.models.settings import DeepStudentSettings, TeacherSettings
from iqadistill.models.students.mlp import MlpSettings
from iqadistill.panorama.viewports import extract_viewports
from iqadistill.patches.crops import extract_crops
from iqadistill.pricing.networks import count_encoder, count_network
from iqadistill.pricing.rates import Rates
from iqadistill.pricing.work import selection_flops
from iqadistill.selection.settings import SelectorSettings
from iqadistill.training.mlp.stacked_mlps import StackedMlps, train_stack

SECONDS = 1.5  # of each measurement, the last repetition not counted
_BATCH_FLOPS = {"cpu": 30e9, "cuda": 3e12}  # operations of a batch, so that one fits into the time
_LAUNCH = "import snakemake.cli, iqadistill.config.jobs"
_IMPORTS = "import pandas, pyarrow.parquet, iqadistill.tables"
_TORCH_IMPORTS = "import torch, timm, pandas, pyarrow.parquet"
_LAUNCHES = (
    2.5  # a launch in starts of Snakemake: it also reads the study, asks for the job's files, and waits a little
)


class Measured(TypedDict, total=False):
    """Rates of what a study has of networks and selectors."""

    encoder: float
    forward: float
    training: float
    mlp: float
    selection: float


def calibrate(plan: Plan, device: str = "cpu") -> Rates:
    """Measure what the study's work takes: its costliest networks, decoding, selection, the start of a job.

    On the CPU networks run in one thread, as their jobs do. What the study does not have keeps the assumed rate.

    Args:
        plan: The study's jobs.
        device: "cpu" or "cuda:N".
    """
    assumed, threads = Rates(), torch.get_num_threads()
    started = time.perf_counter()
    torch.set_num_threads(1)
    try:
        decoding = _decoding()
        speed = decoding / assumed.decoding  # of this core, for what is not measured
        rates = Rates(
            launch=_run(_LAUNCH) * _LAUNCHES,
            imports=_run(_IMPORTS),
            torch_imports=_run(_TORCH_IMPORTS),
            rendering=assumed.rendering * speed,
            searching=assumed.searching * speed,
            evaluating=assumed.evaluating * speed,
            drawing=assumed.drawing / speed,
            decoding=decoding,
            cutting=_cutting(plan),
            card=device != "cpu",
        )
        rates = replace(replace(rates, **_networks(plan, device)), **_embeddings(plan, device))
    finally:
        torch.set_num_threads(threads)
    where = f"{device} and one core" if rates.card else "one core"
    return replace(rates, source=f"measured here in {time.perf_counter() - started:.0f} s on {where}")


def _run(imports: str) -> float:
    """Seconds in which a new process imports modules; the second time, when the disk has them at hand."""
    times = []
    for _ in range(2):
        started = time.perf_counter()
        subprocess.run([sys.executable, "-c", imports], check=True)
        times.append(time.perf_counter() - started)
    return min(times)


def _seconds(work: Callable[[], object], device: str = "cpu") -> float:
    """Seconds of one repetition of some work, after one to warm up."""
    work()
    _wait(device)
    started, count = time.perf_counter(), 0
    while time.perf_counter() - started < SECONDS:
        work()
        _wait(device)
        count += 1
    return (time.perf_counter() - started) / count


def _wait(device: str) -> None:
    if device != "cpu":
        torch.cuda.synchronize(device)


def _example(side: int) -> np.ndarray:
    """An image (side, side, 3) as smooth and as noisy as a photograph, roughly."""
    rng = np.random.default_rng(0)
    coarse = Image.fromarray(rng.integers(0, 256, (side // 32, side // 32, 3), dtype=np.uint8))
    smooth = np.asarray(coarse.resize((side, side), Image.Resampling.BICUBIC), dtype=float)
    return (smooth + rng.normal(0, 3, smooth.shape)).clip(0, 255).astype(np.uint8)


def _decoding() -> float:
    image = _example(1024)
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "image.png"
        Image.fromarray(image).save(file)
        return image.shape[0] * image.shape[1] / _seconds(lambda: read_image(file))


def _cutting(plan: Plan) -> float:
    """Pixels of patches a second, of the study's first sampler in use; viewports take longer than crops."""
    name = max(
        sorted({sampler for _, sampler in plan.sampled}), key=lambda name: plan.study.samplers[name].kind == "sphere"
    )
    sampler = plan.study.samplers[name]
    count = min(sampler.count, 16)
    image = torch.from_numpy(_example(max(1024, sampler.size))).permute(2, 0, 1)
    if sampler.kind == "sphere":
        angles = np.linspace(-1, 1, count)
        seconds = _seconds(lambda: extract_viewports(image, angles, angles / 2, 1.0, sampler.size).float() / 255)
    else:
        corners = [0] * count
        seconds = _seconds(lambda: extract_crops(image, corners, corners, sampler.size).float() / 255)
    return count * sampler.size**2 / seconds


def _networks(plan: Plan, device: str) -> Measured:
    """Rates of the deep network that most jobs train, without and with gradient."""
    study, kind = plan.study, torch.device(device).type
    trained: list[tuple[DeepStudentSettings | TeacherSettings, int]] = [
        (study.deep_students[job.student], study.samplers[job.sampler].size) for job in plan.student_jobs
    ]
    if not trained:
        return {}
    settings, sampled = mode(trained)
    size = settings.size or sampled
    counted = count_network(settings, size)
    module = _training_module(settings, size).to(device)
    batch = int(max(2, min(settings.batch_size, _BATCH_FLOPS[kind] / (counted.flops * 3 * settings.views))))
    patches, quality = torch.rand(batch, 3, size, size, device=device), torch.rand(batch, device=device)
    optimiser = torch.optim.AdamW(module.parameters(), lr=1e-6)

    def step() -> None:
        optimiser.zero_grad()
        losses = module.losses(patches, quality)  # type: ignore[operator]
        torch.stack(list(losses.values())).sum().backward()
        optimiser.step()

    training = batch * settings.views * counted.training_flops / _seconds(step, device)
    module.eval()
    with torch.inference_mode():
        many = patches.contiguous(memory_format=torch.channels_last)
        forward = batch * counted.flops / _seconds(lambda: module(many), device)
    return {"training": training, "forward": forward}


def _training_module(settings: DeepStudentSettings | TeacherSettings, size: int) -> nn.Module:
    """What is trained, without teachers; with random weights."""
    network = settings.without_weights().create_network(size)
    if isinstance(settings, DeepStudentSettings):
        return settings.distilled(network, {}, None)
    pool = ReferencePool(torch.zeros(4, 3, size, size, dtype=torch.uint8)) if settings.uses_references else None
    return settings.training_module(network, pool)


def _embeddings(plan: Plan, device: str) -> Measured:
    """Rates of the encoder in most use, and of selection and MLPs on its embeddings."""
    study = plan.study
    tables = sorted(plan.embedded)
    if not tables:
        return {}
    table = mode([(table.sampler, table.encoder) for table in tables])
    sampler, settings = study.samplers[table[0]], study.encoders[table[1]]
    counted = count_encoder(settings, sampler.size)
    rates: Measured = {"encoder": _encoding(settings, sampler.size, counted.flops, device)}
    ranked = [name for _, name in plan.rankings if hasattr(study.selectors[name], "solver")]
    if ranked:
        rates["selection"] = _selecting(study.selectors[mode(sorted(ranked))], sampler.count, counted.width)
    students = [student for job in plan.mlp_jobs if isinstance(student := study.students[job.student], MlpSettings)]
    if students:
        rates["mlp"] = _mlp(students[0], sampler.count, counted.width, device)
    return rates


def _encoding(settings: EncoderSettings, size: int, flops: float, device: str) -> float:
    encoder = settings.model_copy(update={"weights": "none"}).create(device)
    batch = int(max(2, min(16 if device == "cpu" else 256, _BATCH_FLOPS[torch.device(device).type] / flops)))
    patches = torch.rand(batch, 3, size, size)
    return batch * flops / _seconds(lambda: encoder.embed(patches).cpu(), device)


def _selecting(selector: SelectorSettings, count: int, width: int) -> float:
    flops = selection_flops(selector, count, width)
    images = int(np.clip(4e9 / flops, 4, 64))
    rng = np.random.default_rng(0)
    centres = rng.normal(size=(4, width))
    embeddings = [centres[rng.integers(0, 4, count)] + rng.normal(size=(count, width)) for _ in range(images)]
    return images * flops / _seconds(lambda: selector.create("cpu").fit_many(embeddings))


def _mlp(settings: MlpSettings, count: int, width: int, device: str) -> float:
    models, images = 4, 2 * settings.batch_images
    mlp = settings.create_network(width, torch.Generator().manual_seed(0))
    stack = StackedMlps.copies(mlp, models, device)
    kept = max(1, count // 2)
    patches = torch.rand(models, images, kept, width, device=device)
    present = torch.ones(images, kept, dtype=torch.bool, device=device)
    quality, once = torch.rand(images, device=device), settings.model_copy(update={"epochs": 1})
    generator = torch.Generator().manual_seed(0)

    def epoch() -> None:
        for _ in train_stack(stack, patches, present, quality, once, generator, lambda: []):
            pass

    parameters = sum(weight[0].numel() for weight in stack.weights)
    return 6 * models * images * kept * parameters / _seconds(epoch, device)
