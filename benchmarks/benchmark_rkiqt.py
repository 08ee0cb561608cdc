"""Training RKIQT with its teachers against its student alone.

    python benchmarks/benchmark_rkiqt.py [--device cuda --precision bf16 --published]

The engine trains both on the same crops of the same pictures with the same flips, one after the other, repeated. Teachers are frozen, with
random weights, which costs what trained ones cost; their own training is not counted. Without --published all networks are those of the
embedded studies (EfficientNet-Lite0, a small Vision Transformer, RedNet-26), with it those of the paper. The teachers' answers to
patches that come again are remembered, so that the ratio falls with the epochs; it is given for each number of them.
"""

import argparse
import statistics
import tempfile
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from PIL import Image

from iqadistill.models.creation import create_model
from iqadistill.models.rkiqt.distillation import RKIQTDistillation
from iqadistill.models.rkiqt.reference_pool import ReferencePool
from iqadistill.tables import as_table
from iqadistill.training.deep.engine import train_network
from iqadistill.training.deep.settings import NetworkRecipe

VARIANT = {"train_dataset": "random", "sampler": "crops", "encoder": "", "teacher": "", "student": "rkiqt"}


def networks(published: bool) -> tuple[int, dict, dict[str, tuple[str, dict]]]:
    """Patch side, settings of the student, and name and settings of each teacher."""
    if published:
        teachers = {
            "nar": ("nar_teacher", {"backbone": "resnet50"}),
            "conv": ("regressor", {"backbone": "efficientnet_b0"}),
            "inv": ("regressor", {"backbone": "rednet101"}),
        }
        return 224, {}, teachers
    lite = {"backbone": "tf_efficientnet_lite0"}
    small = {"cells": 4, "mixer_width": 64, "difference_depth": 4, "picture_depth": 2}
    teachers = {
        "nar": ("nar_teacher", {**lite, **small}),
        "conv": ("regressor", lite),
        "inv": ("regressor", {"backbone": "rednet26"}),
    }
    student = {"backbone": "vit_tiny_patch16_224", "depth": 4, "decoder_heads": 3, "stem": "tf_efficientnet_lite0"}
    return 128, student, teachers


def tables(folder: Path, images: int, crops: int, side: int):
    """Noisy pictures, all of them for training, and crops of them."""
    draw = np.random.default_rng(0)
    names = [f"image{number:03d}" for number in range(images)]
    for name in names:
        Image.fromarray(draw.integers(0, 256, (side + 64, side + 64, 3), dtype=np.uint8)).save(folder / f"{name}.png")
    paths = [str(folder / f"{name}.png") for name in names]
    facts = {"dataset": "random", "image_id": names, "path": paths, "status": "ok", "quality": draw.random(images)}
    places = {"x": draw.integers(0, 64, images * crops), "y": draw.integers(0, 64, images * crops)}
    rows = {"patch_id": np.arange(images * crops), "image_id": np.repeat(names, crops), "size": side, **places}
    return (
        as_table(pd.DataFrame(facts), "images"),
        as_table(pd.DataFrame({"split": 0, "image_id": names, "role": "train"}), "splits"),
        as_table(pd.DataFrame(rows), "patches"),
    )


def main() -> None:
    """Print the ratio of training times after each number of epochs."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--precision", default="no", choices=("no", "bf16", "fp16"))
    parser.add_argument("--published", action="store_true", help="the paper's networks at 224 pixels")
    parser.add_argument("--images", type=int, default=32)
    parser.add_argument("--crops", type=int, default=5, help="patches an image, all of them every epoch")
    parser.add_argument("--batch-size", type=int, default=16)
    parser.add_argument("--epochs", type=int, default=9)
    parser.add_argument("--repeats", type=int, default=3)
    given = parser.parse_args()
    side, student, teachers = networks(given.published)
    recipe = NetworkRecipe(
        epochs=given.epochs, batch_size=given.batch_size, precision=given.precision, channels_last=True
    )

    def seconds(folder: Path, taught: bool) -> np.ndarray:
        """Of each epoch."""
        torch.manual_seed(0)
        parts = {role: create_model(name, size=side, **how) for role, (name, how) in teachers.items()} if taught else {}
        if taught:
            parts["pool"] = ReferencePool(torch.randint(0, 256, (64, 3, side, side), dtype=torch.uint8))
        network = RKIQTDistillation(create_model("rkiqt", size=side, **student), **parts)
        made = tables(folder, given.images, given.crops, side)
        history = train_network(
            network, *made, None, 1.0, 0, recipe, variant=VARIANT, device=given.device, workers=torch.get_num_threads()
        )
        return history["seconds"].to_numpy()

    with tempfile.TemporaryDirectory() as folder:
        seconds(Path(folder), True)  # warms caches of files and of kernels
        runs = [[seconds(Path(folder), taught) for taught in (False, True)] for _ in range(given.repeats)]
    patches = given.images * given.crops
    alone = statistics.median(run[0].sum() for run in runs)
    print(f"{given.device}, {torch.get_num_threads()} threads, {side} pixels, {patches} patches an epoch, flips")
    print(f"student alone: {given.epochs * patches / alone:.1f} patches/s")
    for epochs in range(1, given.epochs + 1):
        ratios = [run[1][:epochs].sum() / run[0][:epochs].sum() for run in runs]
        print(f"{epochs} epochs: {statistics.median(ratios):.2f}x the student alone")


if __name__ == "__main__":
    main()
