"""Choosing among up to a million images: seconds and memory against their number, agreement with comparing all pairs.

    OMP_NUM_THREADS=1 python benchmarks/benchmark_choosing_many.py --csv benchmarks/results

Embeddings of 1024 float16 numbers are drawn in blocks by seed (clusters in a space of 40 dimensions, noise, near
duplicates, a rectifier) and written as Parquet, one file at a time, in a temporary folder. `iqadistill choose` then
runs as a command for each method: seconds are those of the whole command, and memory is its largest resident set. The
exponent of n is that of a least-squares line through the logarithms.

At 5,000 images, the most that are compared pair by pair, the method for many images is set against the exact one:
Spearman's rho of the scores (residuals; what each image alone would gain), the share of the same images among the
first of so many, and what the chosen leave undone, relative to the exact choice.
"""

import argparse
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
from conditions import conditions
from module_process import run_module
from scipy.stats import spearmanr

from iqadistill.choosing import CHOOSERS, features, similarity
from iqadistill.choosing.choosers import facility, v_optimal
from iqadistill.choosing.features import image_features
from iqadistill.embedding_blocks import HeldEmbeddings
from iqadistill.selection import joint
from iqadistill.selection.selectors.residual import ResidualSettings

D, RANK, CLUSTERS, BLOCK = 1024, 40, 200, 8192
COMPARED = 5000
NONE = np.array([], dtype=np.int64)
METHODS = [name for name in CHOOSERS if name != "random"]


def drawn_embeddings(n: int, seed: int = 0) -> Iterator[np.ndarray]:
    """Embeddings of n images in blocks (r, 1024), float16; a smaller n gives the first of a larger one's blocks."""
    random = np.random.default_rng(seed)
    centres = random.normal(0, 1, (CLUSTERS, RANK)).astype(np.float32)
    basis = (random.normal(0, 1, (RANK, D)) / np.sqrt(np.arange(1, RANK + 1))[:, None]).astype(np.float32)
    scale = np.exp(random.normal(0, 0.5, D)).astype(np.float32)
    for number, start in enumerate(range(0, n, BLOCK)):
        random, rows = np.random.default_rng([seed, number]), min(BLOCK, n - start)
        latent = centres[random.integers(CLUSTERS, size=rows)]
        latent = latent + 0.7 * random.standard_normal((rows, RANK), dtype=np.float32)
        X = (latent @ basis + 0.3 * random.standard_normal((rows, D), dtype=np.float32)) * scale
        X = np.maximum(X, 0.1 * X)
        copies = np.flatnonzero(random.random(rows) < 0.05)
        noise = 0.01 * random.standard_normal((len(copies), D), dtype=np.float32)
        X[copies] = X[random.integers(rows, size=len(copies))] + noise
        yield X.astype(np.float16)


def write_embeddings(n: int, path: Path) -> None:
    """Write embeddings of n images as Parquet, a row group for each block."""
    schema = pa.schema([("image_id", pa.string()), ("embedding", pa.list_(pa.float16(), D))])
    written = 0
    with pq.ParquetWriter(path, schema, compression="zstd", use_dictionary=["image_id"]) as file:
        for block in drawn_embeddings(n):
            names = pa.array([f"{number:07d}.png" for number in range(written, written + len(block))])
            vectors = pa.FixedSizeListArray.from_arrays(pa.array(block.reshape(-1)), D)
            file.write_table(pa.table([names, vectors], schema=schema))
            written += len(block)


def command(method: str, path: Path, count: int) -> tuple[float, float]:
    """Seconds and largest resident set in GB of one choice by the command."""
    out = path.with_suffix(".csv")
    used = run_module("iqadistill.cli", "choose", path, "--count", count, "--method", method, "--out", out)
    return used.seconds, used.peak / 1e9


def scaling(sizes: list[int], methods: list[str], count: int, folder: Path) -> pd.DataFrame:
    """Seconds and memory of every method at every number of images."""
    rows = []
    for n in sizes:
        path = folder / f"{n}.parquet"
        write_embeddings(n, path)
        for method in methods:
            seconds, gigabytes = command(method, path, count)
            rows.append({"method": method, "n": n, "count": count, "seconds": seconds, "max_rss_gb": gigabytes})
            print(f"{method:10} {n:9,} {seconds:8.1f} s {gigabytes:6.2f} GB", flush=True)
        path.unlink()
    return pd.DataFrame(rows)


def exponents(table: pd.DataFrame) -> pd.DataFrame:
    """Exponent of n in the seconds of each method, over all sizes and over those from 100,000 on."""
    rows = []
    for method, of_method in table.groupby("method", sort=False):
        row = {"method": method}
        for name, least in (("exponent", 0), ("exponent_from_1e5", 100_000)):
            part = of_method[of_method.n >= least]
            row[name] = np.polyfit(np.log(part.n), np.log(part.seconds), 1)[0] if len(part) > 1 else np.nan
        rows.append(row)
    return pd.DataFrame(rows)


def agreement(count: int) -> pd.DataFrame:
    """How the methods for many images agree with the exact ones at 5,000 images."""
    X = np.concatenate(list(drawn_embeddings(COMPARED)))[:COMPARED]
    exact_features = image_features(X)
    directions = facility.similarity_of_directions(exact_features, 0).held
    K = similarity.rbf_similarity(exact_features, 0, landmarks=COMPARED).held
    assert directions is not None and K is not None
    lengths = [count, 500, 2000]

    def uncovered(chosen: np.ndarray) -> float:
        return COMPARED - directions[:, chosen].max(1).sum()

    def unexplained(chosen: np.ndarray) -> float:
        known = K[np.ix_(chosen, chosen)] + v_optimal.NOISE * np.eye(len(chosen))
        return COMPARED - np.sum(K[:, chosen].T * np.linalg.solve(known, K[chosen]))

    exact = {
        "facility": (directions.sum(1), CHOOSERS.create({"method": "facility"}).choose(exact_features, 2000, NONE, 0)),
        "v_optimal": ((K**2).sum(1), CHOOSERS.create({"method": "v_optimal"}).choose(exact_features, 2000, NONE, 0)),
        "lcmd": (None, CHOOSERS.create({"method": "lcmd"}).choose(exact_features, 2000, NONE, 0)),
    }
    start = time.perf_counter()
    pairs = joint.select_jointly(HeldEmbeddings(X), ResidualSettings(gamma="scale_free"))
    print(f"residual by all pairs: {time.perf_counter() - start:.1f} s, gap {pairs.duality_gap:.1e}", flush=True)
    exact["residual"] = (pairs.residuals, pairs.ranking)

    similarity.EXACT = features.EXACT = joint.EXACT = 0  # from here on 5,000 images are many
    found_features = image_features(X)
    rows = []

    def compare(
        method: str, landmarks: int, scores: np.ndarray | None, chosen: np.ndarray, left: Callable | None
    ) -> None:
        of_exact, order = exact[method]
        row = {"method": method, "landmarks": landmarks}
        row["rho"] = spearmanr(scores, of_exact).statistic if scores is not None else np.nan
        for first in lengths:
            row[f"same_{first}"] = len(np.intersect1d(chosen[:first], order[:first])) / first
            row[f"left_{first}"] = left(chosen[:first]) / left(order[:first]) if left else np.nan
            drawn = np.random.default_rng(0).permutation(COMPARED)[:first]
            row[f"left_by_random_{first}"] = left(drawn) / left(order[:first]) if left else np.nan
        rows.append(row)

    facility.SIMILARITIES = 0
    for landmarks in (1000, facility.LANDMARKS):
        facility.LANDMARKS = landmarks
        near = facility.similarity_of_directions(found_features, 0)
        gains = facility.gains(near, np.arange(COMPARED), np.zeros(COMPARED, np.float32))
        compare("facility", landmarks, gains, facility.facility_location(near, 2000, NONE), uncovered)
    for landmarks in (1000, v_optimal.LANDMARKS):
        F = v_optimal.similarity_factor(similarity.rbf_similarity(found_features, 0, landmarks=landmarks))
        chosen = v_optimal.v_optimal_by_factor(F, 2000, NONE)
        compare("v_optimal", landmarks, ((F @ (F.T @ F)) * F).sum(1), chosen, unexplained)
    compare("lcmd", 0, None, CHOOSERS.create({"method": "lcmd"}).choose(found_features, 2000, NONE, 0), None)
    for landmarks in (500, joint.LANDMARKS):
        found = joint.select_jointly(HeldEmbeddings(X), ResidualSettings(gamma="scale_free"), landmarks=landmarks)
        compare("residual", landmarks, found.residuals, found.ranking, None)
    return pd.DataFrame(rows)


def main() -> None:
    """Print, and write as CSV, seconds and memory, their growth, and the agreement at 5,000 images."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    sizes = [10_000, 30_000, 100_000, 300_000, 1_000_000]
    parser.add_argument("--sizes", type=int, nargs="*", default=sizes, help=f"numbers of images (default: {sizes})")
    parser.add_argument("--methods", nargs="+", choices=METHODS, default=METHODS)
    parser.add_argument("--count", type=int, default=50, help="images to choose (default: 50)")
    parser.add_argument(
        "--folder", type=Path, help="where the files of embeddings are, up to 2 GB (default: temporary)"
    )
    parser.add_argument("--no-agreement", action="store_true", help="leave out the comparison at 5,000 images")
    parser.add_argument("--csv", type=Path, help="folder for the tables choosing_{scaling,growth,agreement}.csv")
    given = parser.parse_args()
    print(conditions())
    tables = {}
    if given.sizes:
        with tempfile.TemporaryDirectory(dir=given.folder) as folder:
            tables["choosing_scaling"] = scaling(given.sizes, given.methods, given.count, Path(folder))
        tables["choosing_growth"] = exponents(tables["choosing_scaling"])
    if not given.no_agreement:
        tables["choosing_agreement"] = agreement(given.count)
    for name, table in tables.items():
        print(f"\n{name}\n{table.round(4).to_string(index=False)}", flush=True)
        if given.csv:
            given.csv.mkdir(parents=True, exist_ok=True)
            table.assign(**conditions()).to_csv(given.csv / f"{name}.csv", index=False)


if __name__ == "__main__":
    main()
