"""Miniatures of the official archives on a web server."""

import sys
import zipfile
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import yaml
from PIL import Image

sys.path.append(str(Path(__file__).parents[1] / "unit/datasets"))
import official_archives

from iqadistill.datasets.registry import dataset_record

SIZES = {"flat": (96, 64), "sphere": (128, 64)}
SUFFIXES = {".bmp", ".png", ".jpg"}


def fill_images(folder: Path, size: tuple[int, int] = SIZES["flat"]) -> None:
    """Give every image a content of its own: blocks of colour, some of them blurred."""
    for place, file in enumerate(sorted(path for path in folder.rglob("*") if path.suffix.lower() in SUFFIXES)):
        generator = np.random.default_rng(place)
        blocks = Image.fromarray(generator.integers(0, 255, (8, 8, 3), dtype=np.uint8))
        file.unlink()  # a hard link to the one placeholder
        how = (Image.Resampling.NEAREST, Image.Resampling.BICUBIC)[place % 2]
        blocks.resize(size, how).save(file, "bmp" if file.suffix.lower() == ".bmp" else "png")


def has_archive(name: str) -> bool:
    """Whether a dataset comes as an official archive, rather than being rendered."""
    return name in official_archives.DATASETS


def expect_miniatures(registry: Path, datasets: Iterable[str]) -> None:
    """Let the workflow's copy of the registry expect as many images as the miniatures have."""
    records = yaml.safe_load(registry.read_text())
    for name in datasets:
        counts = zip(("references", "distorted"), official_archives.MINIATURE_COUNTS[name], strict=True)
        records[name] |= {key: count for key, count in counts if count}
        for archive in records[name].get("archives", []):
            archive.pop("bytes", None)
            archive.pop("sha256", None)
    registry.write_text(yaml.safe_dump(records))


def serve(mirror, name: str, folder: Path) -> str:
    """Pack a miniature of an official archive and return its address."""
    labels, write = official_archives.DATASETS[name]
    write(folder / name, labels("miniature"))
    fill_images(folder / name, SIZES[dataset_record(name).kind])
    with zipfile.ZipFile(mirror.folder / f"{name}.zip", "w") as packed:
        for file in sorted((folder / name).rglob("*")):
            if file.is_file() and not file.name.startswith("."):
                packed.write(file, file.relative_to(folder / name))
    return mirror.url(f"{name}.zip")
