"""Speed of the training of deep networks, compared with the network alone.

    python benchmarks/benchmark_engine.py [--device cuda --model resnet50 --side 224 --precision bf16]

`train_network` trains on crops of JPEG files on disk: it decodes, crops, flips, steps the optimiser and records the
history. The bare loop does forward and backward passes on a random tensor of the same shape that is already on the
device. Both run in turn; their ratio is the share of the bare speed that the training reaches, with all patches kept
in memory and with every image decoded in every epoch.
"""

import argparse
import contextlib
import statistics
import tempfile
import time
from pathlib import Path

import numpy as np
import pandas as pd
import timm
import torch
from PIL import Image
from torch import nn

from iqadistill.models.settings import TrainingSettings
from iqadistill.tables import as_table
from iqadistill.training.deep.training import train_network

VARIANT = {"train_dataset": "random", "sampler": "crops", "encoder": "", "teacher": "", "student": "timm"}


class Student(nn.Module):
    """A timm backbone with random weights and one output, trained with L1."""

    def __init__(self, model: str) -> None:
        super().__init__()
        self.backbone = timm.create_model(model, num_classes=1)

    def forward(self, patches: torch.Tensor) -> torch.Tensor:
        """Scores (B,)."""
        return self.backbone(patches).squeeze(-1)

    def losses(self, patches: torch.Tensor, quality: torch.Tensor) -> dict[str, torch.Tensor]:
        """L1."""
        return {"quality": (self(patches) - quality).abs().mean()}


def tables(folder: Path, images: int, crops: int, side: int):
    """Tables of photograph-like JPEG files of 1024 x 768 pixels, all for training, and of random crops of them."""
    draw = np.random.default_rng(0)
    names = [f"image{index:04d}" for index in range(images)]
    for name in names:
        coarse = draw.integers(0, 256, (24, 32, 3), dtype=np.uint8)
        smooth = np.asarray(Image.fromarray(coarse).resize((1024, 768), Image.Resampling.BICUBIC), dtype=np.int16)
        noisy = (smooth + draw.integers(-8, 9, smooth.shape, dtype=np.int16)).clip(0, 255).astype(np.uint8)
        Image.fromarray(noisy).save(folder / f"{name}.jpg", quality=90)
    facts = {"dataset": "random", "image_id": names, "status": "ok", "quality": draw.random(images)}
    paths = [str(folder / f"{name}.jpg") for name in names]
    corners = {"x": draw.integers(0, 1024 - side, images * crops), "y": draw.integers(0, 768 - side, images * crops)}
    rows = {"patch_id": np.arange(images * crops), "image_id": np.repeat(names, crops), "size": side, **corners}
    return (
        as_table(pd.DataFrame({**facts, "path": paths}), "images"),
        as_table(pd.DataFrame({"split": 0, "image_id": names, "role": "train"}), "splits"),
        as_table(pd.DataFrame(rows), "patches"),
    )


def bare(options: argparse.Namespace, steps: int) -> float:
    """Patches per second of forward and backward passes only."""
    layout = torch.channels_last if options.channels_last else torch.contiguous_format
    network = Student(options.model).to(options.device, memory_format=layout).train()
    patches = torch.rand(options.batch, 3, options.side, options.side, device=options.device)
    patches = patches.contiguous(memory_format=layout)
    quality = torch.rand(options.batch, device=options.device)
    kind = {"bf16": torch.bfloat16, "fp16": torch.float16}.get(options.precision)
    torch.backends.cudnn.benchmark = True

    def run(steps: int) -> None:
        for _ in range(steps):
            with torch.autocast(torch.device(options.device).type, kind) if kind else contextlib.nullcontext():
                loss = network.losses(patches, quality)["quality"]
            network.zero_grad()
            loss.backward()
        if options.device != "cpu":
            torch.cuda.synchronize()

    run(3)
    begin = time.perf_counter()
    run(steps)
    return steps * options.batch / (time.perf_counter() - begin)


def training(options: argparse.Namespace, made, memory_gb: float) -> float:
    """Patches per second of the training without its first epoch, which starts the threads and fills the memory."""
    settings = TrainingSettings(
        epochs=1 + options.epochs,
        batch_size=options.batch,
        precision=options.precision,
        channels_last=options.channels_last,
        memory_gb=memory_gb,
    )
    images, splits, patches = made
    arguments = {"device": options.device, "workers": options.workers, "variant": VARIANT}
    history = train_network(Student(options.model), images, splits, patches, None, 1.0, 0, settings, **arguments)
    later = history.to_pandas().iloc[1:]
    return float(later.num_patches.sum() / later.seconds.sum())


def main() -> None:
    """Print the speeds and their ratios."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default="tf_efficientnet_lite0")
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--precision", default="no", choices=("no", "bf16", "fp16"))
    parser.add_argument("--channels-last", action="store_true")
    for name, default in {
        "side": 128,
        "batch": 16,
        "images": 24,
        "crops": 8,
        "epochs": 2,
        "repeats": 3,
        "workers": 2,
        "threads": torch.get_num_threads(),
    }.items():
        parser.add_argument(f"--{name}", type=int, default=default)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    ratios: dict[str, list[float]] = {"kept in memory": [], "decoded every epoch": []}
    with tempfile.TemporaryDirectory() as folder:
        made = tables(Path(folder), options.images, options.crops, options.side)
        steps = options.epochs * options.images * options.crops // options.batch
        for repeat in range(options.repeats):
            for way, memory_gb in zip(ratios, (16.0, 0.0), strict=True):
                alone, trained = bare(options, steps), training(options, made, memory_gb)
                ratios[way].append(trained / alone)
                print(f"repeat {repeat}, {way}: bare {alone:.1f}, training {trained:.1f} patches/s", flush=True)
    for way, measured in ratios.items():
        print(f"{way}: training reaches {statistics.median(measured):.2f} of the bare speed (median)")


if __name__ == "__main__":
    main()
