"""Speed of indexing a dataset compared with decoding, or decoding and hashing, its images in as many threads.

    python benchmarks/benchmark_indexing.py                 # 10,000 JPEGs of mixed sizes, generated first
    python benchmarks/benchmark_indexing.py --images 2000 --workers 2 --format png

All read the same files from a warm page cache; rounds alternate and medians are compared. Decoding is Pillow's open and
load, hashing is SHA-256 of the file. The fingerprint of the folder, taken whenever a study is read, is timed as well.
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

from iqadistill.datasets.fingerprint import folder_fingerprint
from iqadistill.datasets.index import index_dataset
from iqadistill.provenance import file_digest

FORMATS = {"jpg": "jpeg", "png": "png", "bmp": "bmp"}
SIZES = (256, 384, 512, 640, 768, 1024, 1280, 1600, 2000)


def make_dataset(folder: Path, images: int, suffix: str, seed: int = 0) -> None:
    """Images with sides of 192 to 2000 pixels; each size is encoded once and written under many names."""
    rng = np.random.default_rng(seed)
    encoded = []
    for width in SIZES:
        for height in (width, width * 3 // 4):
            noise = gaussian_filter(rng.standard_normal((height, width, 3)), (3, 3, 0))
            pixels = np.clip(128 + 300 * noise, 0, 255).astype(np.uint8)
            buffer = io.BytesIO()
            Image.fromarray(pixels).save(buffer, FORMATS[suffix], quality=90)
            encoded.append(buffer.getvalue())
    order = rng.integers(len(encoded), size=images)
    for number, which in enumerate(order):
        (folder / f"{number:05d}.{suffix}").write_bytes(encoded[which])
    rows = "".join(f"{number:05d}.{suffix},{1 + number % 5}\n" for number in range(images))
    (folder / "images.csv").write_text("image,mos\n" + rows)


def decode(files: list[Path], workers: int, hashed: bool = False) -> None:
    """Decode, and hash if wanted, every file in threads."""

    def load(file: Path) -> None:
        with Image.open(file) as image:
            image.load()
        if hashed:
            file_digest(file)

    with ThreadPoolExecutor(workers) as pool:
        for _ in pool.map(load, files):
            pass


def timed(function, *arguments, **settings) -> tuple[float, float]:
    """Seconds and CPU seconds of one call, without its progress lines."""
    with contextlib.redirect_stderr(io.StringIO()):
        started = time.perf_counter(), time.process_time()
        function(*arguments, **settings)
        return time.perf_counter() - started[0], time.process_time() - started[1]


def main() -> None:
    """Generate the images, time everything in turn, print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--images", type=int, default=10_000)
    parser.add_argument("--workers", type=int, default=os.cpu_count())
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--format", choices=FORMATS, default="jpg")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        make_dataset(folder, options.images, options.format)
        files = sorted(folder.glob(f"*.{options.format}"))
        decode(files, options.workers)  # fills the page cache
        calls = {
            "decode": lambda: decode(files, options.workers),
            "decode and hash": lambda: decode(files, options.workers, hashed=True),
            "index": lambda: index_dataset("own", folder, source="images", workers=options.workers),
            "fingerprint": lambda: folder_fingerprint(folder),
        }
        rounds = [{what: timed(call) for what, call in calls.items()} for _ in range(options.rounds)]
    medians = {
        what: [statistics.median(times) for times in zip(*(r[what] for r in rounds), strict=True)] for what in calls
    }
    images = f"{options.images} {options.format} images of up to {SIZES[-1]} pixels"
    print(f"{images}, {options.workers} threads, median of {options.rounds} rounds")
    for what, (seconds, cpu) in medians.items():
        print(
            f"{what:>16}: {options.images / seconds:8.0f} images/s, {1e3 * cpu / options.images:7.3f} CPU ms per image"
        )
    print(f"hashing takes {medians['decode and hash'][1] / medians['decode'][1] - 1:.1%} of the CPU time of decoding")


if __name__ == "__main__":
    main()
