"""Speed of training as shipped, compared with the networks alone.

    python benchmarks/benchmark_engine.py [--study config.yaml] [--networks adtrs rkiqt] [--csv FOLDER]
    python benchmarks/benchmark_engine.py --compile [--networks adtrs] [--csv FOLDER]

For each deep student and teacher of a study, `train_network` trains on crops of JPEG files on disk with the settings of
its entry: it decodes, crops, flips, steps the optimiser and records the history. The bare loop does forward pass,
backward pass and optimiser step of the same module on batches of the same patches that are already tensors on the
device. Both run in turn, with all patches kept in memory and with every image decoded in every epoch; then decoding
alone is timed, too. The ratio is the share that training reaches of the bare speed, or of the speed that bare passes
and decoding have one after the other: on CPU both need the same cores. Teachers' outputs are not cached, in both. For
the MLP, the bare loop is one stacked model a thread, trained by autograd on patches that are already standardised;
training starts from tables.

With `--compile`, each network is trained with and without `compile: true` instead, in turn: the rates of the epochs
after the first, and how many seconds longer the first one takes, which is the compilation.

On a card, training ADTRS with ResNet-50 at 224 pixels in bf16 and channels-last is also compared with the plain loop
of four passes in float32, as in the authors' release (github.com/MAS94/ADTRS), and the utilisation of the card is
printed.
"""

import argparse
import contextlib
import math
import os
import statistics
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pandas as pd
import torch
import yaml
from benchmark_adtrs import Stopwatch, four_passes
from benchmark_adtrs import train as plain_training
from benchmark_training import tables as embedding_tables
from conditions import conditions
from PIL import Image
from torch import Tensor, nn

from iqadistill.config.load import check_study
from iqadistill.errors import InputError
from iqadistill.models.creation import create_model
from iqadistill.models.registry import STUDENTS
from iqadistill.models.rkiqt.reference_pool import ReferencePool
from iqadistill.models.settings import DeepStudentSettings, TeacherSettings, TrainingSettings
from iqadistill.models.students.mlp import MlpSettings
from iqadistill.patches.store import PatchStore
from iqadistill.tables import as_table
from iqadistill.training.deep.optimisation import check_compiler
from iqadistill.training.deep.training import train_network
from iqadistill.training.mlp.stacked_mlps import StackedMlps
from iqadistill.training.mlp.training import train_mlps

VARIANT = {"train_dataset": "random", "sampler": "crops", "encoder": "", "teacher": "", "student": ""}
TYPES = {"bf16": torch.bfloat16, "fp16": torch.float16}
IN_MEMORY, DECODED = "kept in memory", "decoded every epoch"


def tables(folder: Path, images: int, crops: int, side: int):
    """Tables of photograph-like JPEG files of 1024 x 768 pixels, all for training, and of random crops of them."""
    draw = np.random.default_rng(0)
    names = [f"image{index:04d}" for index in range(images)]
    for name in names:
        coarse = draw.integers(0, 256, (24, 32, 3), dtype=np.uint8)
        smooth = np.asarray(Image.fromarray(coarse).resize((1024, 768), Image.Resampling.BICUBIC), dtype=np.int16)
        noisy = (smooth + draw.integers(-8, 9, smooth.shape, dtype=np.int16)).clip(0, 255).astype(np.uint8)
        Image.fromarray(noisy).save(folder / f"{name}.jpg", quality=90)
    quality = draw.random(images)
    facts = {"dataset": "random", "image_id": names, "status": "ok", "quality": quality, "score": 100 * quality}
    facts |= {"width": 1024, "height": 768}
    paths = [str(folder / f"{name}.jpg") for name in names]
    corners = {"x": draw.integers(0, 1024 - side, images * crops), "y": draw.integers(0, 768 - side, images * crops)}
    rows = {"patch_id": np.arange(images * crops), "image_id": np.repeat(names, crops), "size": side, **corners}
    return (
        as_table(pd.DataFrame({**facts, "path": paths}), "images"),
        as_table(pd.DataFrame({"split": 0, "image_id": names, "role": "train"}), "splits"),
        as_table(pd.DataFrame(rows), "patches"),
    )


def entries(file: Path) -> dict[str, DeepStudentSettings | TeacherSettings]:
    """Settings of the deep students and the teachers of a study by name, with random initial weights."""
    study = check_study(yaml.safe_load(file.read_text()))
    named = {**study.students, **study.teachers}
    return {name: entry.without_weights() for name, entry in named.items() if isinstance(entry, TrainingSettings)}


def trained_module(name: str, found: dict, side: int) -> nn.Module:
    """The module that the engine trains for an entry: a network, with its teachers or references."""
    torch.manual_seed(0)
    settings = found[name]
    pool = ReferencePool(torch.randint(0, 256, (32, 3, side, side), dtype=torch.uint8))
    network = settings.create_network(side)
    if isinstance(settings, TeacherSettings):
        return settings.training_module(network, pool if settings.uses_references else None)
    teachers = {role: found[teacher].create_network(side) for role, teacher in settings.teachers().items()}
    return settings.distilled(network, teachers, pool if teachers else None)


def bare(module: nn.Module, settings: TrainingSettings, batches: list[Tensor], device: str) -> float:
    """Patches per second of forward pass, backward pass and optimiser step on batches that are on the device."""
    layout = torch.channels_last if settings.channels_last else torch.contiguous_format
    module.to(device).to(memory_format=layout).train()
    batches = [batch.to(device).contiguous(memory_format=layout) for batch in batches]
    quality = torch.rand(max(len(batch) for batch in batches), device=device)
    parameters = [parameter for parameter in module.parameters() if parameter.requires_grad]
    optimiser = torch.optim.AdamW(parameters, lr=settings.lr, fused=True)
    kind = TYPES.get(settings.precision)

    def step(batch: Tensor) -> None:
        with torch.autocast(torch.device(device).type, kind) if kind else contextlib.nullcontext():
            loss = sum(module.losses(batch, quality[: len(batch)]).values())
        loss.backward()
        optimiser.step()
        optimiser.zero_grad()

    for batch in batches[:2]:
        step(batch)
    wait(device)
    begin = time.perf_counter()
    for batch in batches:
        step(batch)
    wait(device)
    return sum(map(len, batches)) / (time.perf_counter() - begin)


def history(module: nn.Module, settings: TrainingSettings, made, device: str, workers: int) -> tuple[float, float]:
    """Seconds of the first epoch, which starts threads and fills the memory, and patches per second of the others."""
    arguments = {"variant": VARIANT, "device": device, "workers": workers}
    epochs = train_network(module, *made, None, 1.0, 0, settings, **arguments).to_pandas()
    later = epochs.iloc[1:]
    return float(epochs.seconds.iloc[0]), float(later.num_patches.sum() / later.seconds.sum())


def engine(*training) -> float:
    """Patches per second of a training without its first epoch."""
    return history(*training)[1]


def decoding(made, workers: int) -> float:
    """Patches per second of decoding every image and cutting its patches."""
    images, _, patches = made
    store = PatchStore(images, patches, images["image_id"].to_pylist(), workers=workers, memory_gb=0)
    begin = time.perf_counter()
    store.fetch(np.arange(len(patches)))
    return len(patches) / (time.perf_counter() - begin)


def deep_rows(options: argparse.Namespace) -> Iterator[dict]:
    """A row for each network, way and repeat."""
    found = entries(options.study)
    with tempfile.TemporaryDirectory() as folder:
        made = tables(Path(folder), options.images, options.crops, options.side)
        patches = torch.rand(options.images * options.crops, 3, options.side, options.side)
        for name in options.networks or [*found, "mlp"]:
            if name == "mlp":
                continue
            settings = found[name] = measured_settings(found[name], options)
            batches = list(patches.tensor_split(-(-len(patches) // settings.batch_size)))
            for repeat in range(options.repeats):
                for way, memory_gb in ((IN_MEMORY, 16.0), (DECODED, 0.0)):
                    trained = engine(
                        trained_module(name, found, options.side),
                        settings.model_copy(update={"memory_gb": memory_gb}),
                        made,
                        options.device,
                        options.workers,
                    )
                    row = {"network": name, "way": way, "repeat": repeat, "engine": trained}
                    row["bare"] = bare(trained_module(name, found, options.side), settings, batches, options.device)
                    yield row | ({"decoding": decoding(made, options.workers)} if way == DECODED else {})


def measured_settings(settings: TrainingSettings, options: argparse.Namespace) -> TrainingSettings:
    """Settings of an entry for the benchmark: all patches in every epoch, and outputs of teachers are not cached."""
    changed = {"epochs": 1 + options.epochs, "patches_per_epoch": None}
    changed |= {"teacher_memory_gb": 0.0, "teacher_disk_gb": 0.0} if settings.model == "rkiqt" else {}
    if options.device != "cpu":
        changed |= {"precision": "bf16", "channels_last": True}
    return settings.model_copy(update=changed)


def compiled_rows(options: argparse.Namespace) -> Iterator[dict]:
    """A row for each network: patches per second with and without `compile`, and the seconds that compiling takes."""
    try:
        check_compiler()
    except InputError as error:
        print(f"what compile gains: skipped ({error})")
        return
    found = entries(options.study)
    with tempfile.TemporaryDirectory() as folder:
        os.environ["TORCHINDUCTOR_CACHE_DIR"] = f"{folder}/compiled"  # nothing was compiled before
        made = tables(Path(folder), options.images, options.crops, options.side)
        for name in options.networks or found:
            settings = measured_settings(found[name], options)
            trainings = []
            for way in (False, True) * options.repeats:
                found[name] = settings.model_copy(update={"compile": way, "memory_gb": 16.0})
                module = trained_module(name, found, options.side)
                trainings.append(history(module, found[name], made, options.device, options.workers))
            first, rates = zip(*trainings[::2], strict=True)
            first_compiled, rates_compiled = zip(*trainings[1::2], strict=True)
            yield {
                "network": name,
                "plain": statistics.median(rates),
                "compiled": statistics.median(rates_compiled),
                "compilation": first_compiled[0] - first[0],
            }


def mlp_rows(options: argparse.Namespace) -> Iterator[dict]:
    """A row for each repeat: kept patches per second of MLPs of six selectors, with a split for each thread."""
    images, patches, width, selectors, keep = 330, 20, 1024, 6, 0.4
    settings = MlpSettings(hidden=(64,), dropout=(0.25,), batch_images=16, epochs=15)
    made = embedding_tables(images, patches, width, splits=options.threads, selectors=selectors)
    rates = [(f"selector{index}", keep) for index in range(selectors)]
    trained, kept = round(0.8 * images), round(keep * patches)
    passes = options.threads * selectors * settings.epochs * trained * kept

    def stacked(split: int) -> None:
        torch.manual_seed(split)
        stack = StackedMlps.copies(settings.create_network(width), selectors)
        parameters = [tensor.requires_grad_() for tensor in (*stack.weights, *stack.biases)]
        optimiser = torch.optim.AdamW(parameters, lr=settings.lr, fused=True)
        embeddings, target = torch.randn(selectors, trained * kept, width), torch.rand(trained * kept)
        starts.wait()
        for _ in range(settings.epochs):
            for batch in torch.arange(trained * kept).tensor_split(-(-trained // settings.batch_images)):
                rows = slice(int(batch[0]), int(batch[-1]) + 1)
                hidden = torch.baddbmm(stack.biases[0][:, None], embeddings[:, rows], stack.weights[0]).relu()
                hidden = hidden * (torch.rand(len(batch), hidden.shape[2]) >= settings.dropout[0]) / 0.75
                scores = torch.baddbmm(stack.biases[1][:, None], hidden, stack.weights[1])[..., 0]
                (scores - target[rows]).abs().mean(1).sum().backward()
                optimiser.step()
                optimiser.zero_grad()

    for repeat in range(options.repeats):
        begin = time.perf_counter()
        train_mlps(*made, rates, settings)
        shipped = passes / (time.perf_counter() - begin)
        torch.set_num_threads(1)
        starts = threading.Barrier(options.threads + 1)
        threads = [threading.Thread(target=stacked, args=(split,)) for split in range(options.threads)]
        for thread in threads:
            thread.start()
        starts.wait()
        begin = time.perf_counter()
        for thread in threads:
            thread.join()
        alone = passes / (time.perf_counter() - begin)
        torch.set_num_threads(options.threads)
        yield {"network": "mlp", "way": IN_MEMORY, "repeat": repeat, "bare": alone, "engine": shipped}


def compare_with_release(options: argparse.Namespace) -> Iterator[dict]:
    """On a card: patches per second of ADTRS as shipped in bf16 beside the plain loop of four passes in float32."""
    if options.device == "cpu":
        print("ADTRS in bf16 and channels-last against the plain loop of the release: skipped, there is no CUDA device")
        return
    settings = STUDENTS.create(
        {"model": "adtrs", "weights": "none", "epochs": 4, "batch_size": 8, "precision": "bf16", "channels_last": True}
    )
    with tempfile.TemporaryDirectory() as folder:
        made = tables(Path(folder), 64, 16, 224)
        for repeat in range(options.repeats):
            plain = create_model("adtrs", backbone="resnet50").to(options.device)
            watch = Stopwatch(20)
            watch.batch = torch.rand(8, 3, 224, 224, device=options.device), torch.rand(8, device=options.device)
            plain_training(plain, four_passes, watch, torch.contiguous_format, torch.float32)
            with utilisation(options.device) as measured:
                shipped = engine(settings.create_network(224), settings, made, options.device, options.workers)
            print(
                f"ADTRS as shipped: the card is busy {statistics.mean(measured or [0]):.0f} % of the time", flush=True
            )
            way = "bf16 and channels-last, beside four passes in float32"
            yield {"network": "adtrs", "way": way, "repeat": repeat, "bare": 8 / watch.seconds(), "engine": shipped}


@contextlib.contextmanager
def utilisation(device: str) -> Iterator[list[int]]:
    """Per cent of the time that the card computes, taken ten times a second in the block; empty where it is unknown."""
    measured: list[int] = []
    ended = threading.Event()

    def watch() -> None:
        with contextlib.suppress(ModuleNotFoundError, RuntimeError):  # it needs NVIDIA's management library
            while not ended.wait(0.1):
                measured.append(torch.cuda.utilization(device))

    thread = threading.Thread(target=watch)
    thread.start()
    try:
        yield measured
    finally:
        ended.set()
        thread.join()


def wait(device: str) -> None:
    """Wait for all that was started on a card."""
    if device != "cpu":
        torch.cuda.synchronize()


def main() -> None:
    """Print the speeds and their ratios, and write the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--study", type=Path, default=Path("config.yaml"), help="its deep students and teachers")
    parser.add_argument("--networks", nargs="+", metavar="NAME", help="only these entries, or mlp")
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--csv", type=Path, help="folder for the table training.csv or compiled.csv")
    for name, default in {
        "side": 96,
        "images": 32,
        "crops": 4,
        "epochs": 1,
        "repeats": 3,
        "workers": 2,
        "threads": torch.get_num_threads(),
    }.items():
        parser.add_argument(f"--{name}", type=int, default=default)
    parser.add_argument("--compile", action="store_true", help="measure what compile: true gains, and nothing else")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    torch.backends.cudnn.benchmark = True
    facts = {"side": options.side, "device": options.device, **conditions()}
    if options.compile:
        rows = []
        for row in compiled_rows(options):
            rows.append({**row, "ratio": row["compiled"] / row["plain"]})
            print(
                "{network}: {plain:.1f} patches/s, compiled {compiled:.1f}, {ratio:.2f} times as many, after "
                "{compilation:.0f} s of compilation".format(**rows[-1]),
                flush=True,
            )
        if rows:
            write(pd.DataFrame(rows).assign(**facts), options.csv, "compiled.csv")
        return
    parts: list[Callable] = [deep_rows, compare_with_release]
    if not options.networks or "mlp" in options.networks:
        parts.insert(1, mlp_rows)
    rows = []
    for row in (row for part in parts for row in part(options)):
        allowed = 1 / (1 / row["bare"] + 1 / row.get("decoding", math.inf))
        rows.append({**row, "ratio": row["engine"] / allowed})
        print(
            "{network}, {way}: bare {bare:.1f}, training {engine:.1f} patches/s, {ratio:.2f}".format(**rows[-1]),
            flush=True,
        )
    table = pd.DataFrame(rows, columns=["network", "way", "repeat", "bare", "decoding", "engine", "ratio"])
    print(
        table.groupby(["network", "way"], sort=False)[["bare", "decoding", "engine", "ratio"]]
        .median()
        .round(2)
        .to_string()
    )
    write(table.assign(**facts), options.csv, "training.csv")


def write(table: pd.DataFrame, folder: Path | None, name: str) -> None:
    """Write a table where a folder was given."""
    if folder:
        folder.mkdir(parents=True, exist_ok=True)
        table.to_csv(folder / name, index=False)


if __name__ == "__main__":
    main()
