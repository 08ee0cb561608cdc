"""Rate of indexing a dataset beside that of decoding its pictures alone, with the same workers in one run.

    python benchmarks/benchmark_indexing.py                 # 10,000 JPEGs of mixed sizes, made first
    python benchmarks/benchmark_indexing.py --images 2000 --workers 2

Both read the same files, each from a warm page cache; rounds alternate and medians are compared. Decoding alone is Pillow's
open and load in a pool of threads, nothing kept.
"""

import argparse
import contextlib
import io
import os
import statistics
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
from PIL import Image
from scipy.ndimage import gaussian_filter

from iqadistill.datasets.index import index_dataset

SIZES = (256, 384, 512, 640, 768, 1024, 1280, 1600, 2000)


def make_dataset(folder: Path, images: int, seed: int = 0) -> None:
    """Pictures of 256 to 2000 pixels a side, each size encoded once and written under as many names as it takes."""
    rng = np.random.default_rng(seed)
    coded = []
    for width in SIZES:
        for height in (width, width * 3 // 4):
            noise = gaussian_filter(rng.standard_normal((height, width, 3)), (3, 3, 0))
            picture = np.clip(128 + 300 * noise, 0, 255).astype(np.uint8)
            buffer = io.BytesIO()
            Image.fromarray(picture).save(buffer, "jpeg", quality=90)
            coded.append(buffer.getvalue())
    order = rng.integers(len(coded), size=images)
    for number, which in enumerate(order):
        (folder / f"{number:05d}.jpg").write_bytes(coded[which])
    rows = "".join(f"{number:05d}.jpg,{1 + number % 5}\n" for number in range(images))
    (folder / "images.csv").write_text("image,mos\n" + rows)


def decode_alone(files: list[Path], workers: int) -> None:
    """Decode every file in threads and drop it."""

    def load(file: Path) -> None:
        with Image.open(file) as picture:
            picture.load()

    with ThreadPoolExecutor(workers) as pool:
        for _ in pool.map(load, files):
            pass


def timed(function, *arguments, **settings) -> float:
    """Seconds of one call, its progress lines dropped."""
    with contextlib.redirect_stderr(io.StringIO()):
        started = time.perf_counter()
        function(*arguments, **settings)
        return time.perf_counter() - started


def main() -> None:
    """Make the pictures, time both in turn, print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--images", type=int, default=10_000)
    parser.add_argument("--workers", type=int, default=os.cpu_count())
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        make_dataset(folder, options.images)
        files = sorted(folder.glob("*.jpg"))
        decode_alone(files, options.workers)  # fills the page cache
        seconds = {"decode alone": [], "index": []}
        for _ in range(options.rounds):
            seconds["decode alone"].append(timed(decode_alone, files, options.workers))
            settings = {"source": "images", "workers": options.workers}
            seconds["index"].append(timed(index_dataset, "own", folder, **settings))
    rates = {what: options.images / statistics.median(taken) for what, taken in seconds.items()}
    print(
        f"{options.images} JPEGs of {SIZES[0]} to {SIZES[-1]} pixels, {options.workers} workers, median of {options.rounds}"
    )
    for what, rate in rates.items():
        print(f"{what:>14}: {rate:7.0f} images/s")
    print(f"{'ratio':>14}: {rates['index'] / rates['decode alone']:7.2f}")


if __name__ == "__main__":
    main()
