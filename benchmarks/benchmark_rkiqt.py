"""Time of training RKIQT with its teachers, relative to its student alone.

    python benchmarks/benchmark_rkiqt.py [--device cuda --precision bf16 --published]

Both are trained on the same crops of the same images with the same flips, one after the other, repeatedly. Teachers are
frozen, with random weights, which cost as much as trained ones; their training is not counted. Without --published all
networks are those of the embedded studies (EfficientNet-Lite0, a small Vision Transformer, RedNet-26), with it those of
the paper. The teachers' outputs for patches that come again are cached, so that the ratio falls with the number of
epochs; it is printed for each number.
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
from iqadistill.models.registry import STUDENTS
from iqadistill.models.rkiqt.reference_pool import ReferencePool
from iqadistill.tables import as_table
from iqadistill.training.deep.training import train_network

VARIANT = {"train_dataset": "random", "sampler": "crops", "encoder": "", "teacher": "", "student": "rkiqt"}


def networks(published: bool) -> tuple[int, dict, dict[str, tuple[str, dict]]]:
    """Side of a patch, settings of the student, and name and settings of each teacher."""
    if published:
        teachers = {
            "nar": ("nar_teacher", {"backbone": "resnet50"}),
            "conv": ("regressor", {"backbone": "efficientnet_b0"}),
            "inv": ("regressor", {"backbone": "rednet101"}),
        }
        return 224, {}, teachers
    lite = {"backbone": "tf_efficientnet_lite0"}
    small = {"cells": 4, "mixer_width": 64, "difference_depth": 4, "image_depth": 2}
    teachers = {
        "nar": ("nar_teacher", {**lite, **small}),
        "conv": ("regressor", lite),
        "inv": ("regressor", {"backbone": "rednet26"}),
    }
    student = {"backbone": "vit_tiny_patch16_224", "depth": 4, "decoder_heads": 3, "stem": "tf_efficientnet_lite0"}
    return 128, student, teachers


def tables(folder: Path, images: int, crops: int, side: int):
    """Tables of noise images, all of them for training, and of crops of them."""
    draw = np.random.default_rng(0)
    names = [f"image{index:03d}" for index in range(images)]
    for name in names:
        Image.fromarray(draw.integers(0, 256, (side + 64, side + 64, 3), dtype=np.uint8)).save(folder / f"{name}.png")
    paths = [str(folder / f"{name}.png") for name in names]
    facts = {"dataset": "random", "image_id": names, "path": paths, "status": "ok", "quality": draw.random(images)}
    corners = {"x": draw.integers(0, 64, images * crops), "y": draw.integers(0, 64, images * crops)}
    rows = {"patch_id": np.arange(images * crops), "image_id": np.repeat(names, crops), "size": side, **corners}
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
    parser.add_argument("--crops", type=int, default=5, help="patches per image, all of them in every epoch")
    parser.add_argument("--batch-size", type=int, default=16)
    parser.add_argument("--epochs", type=int, default=9)
    parser.add_argument("--repeats", type=int, default=3)
    options = parser.parse_args()
    side, student, teachers = networks(options.published)
    training = {"epochs": options.epochs, "batch_size": options.batch_size, "precision": options.precision}
    random = {"weights": "none", "stem_weights": "none"}
    settings = STUDENTS.create({"model": "rkiqt", **random, **training, "channels_last": True, **student})

    def seconds(folder: Path, with_teachers: bool) -> np.ndarray:
        """Seconds of each epoch."""
        torch.manual_seed(0)
        trained, pool = {}, None
        if with_teachers:
            trained = {role: create_model(name, size=side, **values) for role, (name, values) in teachers.items()}
            pool = ReferencePool(torch.randint(0, 256, (64, 3, side, side), dtype=torch.uint8))
        network = settings.distilled(settings.create_network(side), trained, pool)
        inputs = tables(folder, options.images, options.crops, side)
        history = train_network(
            network,
            *inputs,
            None,
            1.0,
            0,
            settings,
            variant=VARIANT,
            device=options.device,
            workers=torch.get_num_threads(),
        )
        return history["seconds"].to_numpy()

    with tempfile.TemporaryDirectory() as folder:
        seconds(Path(folder), True)  # fills the caches of files and of kernels
        runs = [
            [seconds(Path(folder), with_teachers) for with_teachers in (False, True)] for _ in range(options.repeats)
        ]
    patches = options.images * options.crops
    alone = statistics.median(run[0].sum() for run in runs)
    print(f"{options.device}, {torch.get_num_threads()} threads, {side} pixels, {patches} patches per epoch, flips")
    print(f"student alone: {options.epochs * patches / alone:.1f} patches/s")
    for epochs in range(1, options.epochs + 1):
        ratios = [run[1][:epochs].sum() / run[0][:epochs].sum() for run in runs]
        print(f"{epochs} epochs: {statistics.median(ratios):.2f}x the student alone")


if __name__ == "__main__":
    main()
