"""Time the residual-selection solvers against the plain equations of arXiv 2412.12667, on one image and on many.

    python benchmarks/benchmark_selection.py
    python benchmarks/benchmark_selection.py --embeddings embeddings.parquet --peer emb_selection.py

Every method sees the same E and Z and is timed in turn; the table shows medians. `plain` is the paper's Eq. 9 and 11
with d x d matrices in NumPy, once with the printed inverse and once with a linear solve instead; ratios are against the
faster of the two. Gaps certify how far each answer is from the optimum.
"""

import argparse
import contextlib
import importlib.util
import io
import statistics
import time
import warnings
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch

from iqadistill.selection.irls import solve_irls
from iqadistill.selection.objective import duality_gap
from iqadistill.selection.published import EPS, RIDGE, solve_published
from iqadistill.selection.residual import ResidualSelector
from iqadistill.selection.similarity import similarity_matrix, spectral_target
from iqadistill.tables import embedding_matrix, read_table

ITERATIONS = 50


def synthetic_features(n: int, d: int, seed: int) -> np.ndarray:
    """Features (n, d) like pooled ReLU activations: non-negative, a low-rank scene plus noise, uneven channels."""
    rng = np.random.default_rng(seed)
    channel = rng.gamma(1.2, 0.35, d)
    scene = rng.standard_normal((n, 24)) @ rng.standard_normal((24, d)) / np.sqrt(24)
    return np.maximum(0, channel * (0.9 + 1.2 * scene + 0.25 * rng.standard_normal((n, d))))


def plain(E: np.ndarray, Z: np.ndarray, alpha: float, beta: float, inverse: bool) -> np.ndarray:
    """Fifty iterations of Eq. 9 and Eq. 11 with d x d matrices; returns W."""
    n, d = E.shape
    D_W, D_R, R = np.eye(d), np.eye(n), np.zeros((Z.shape[1], n))
    for _ in range(ITERATIONS):
        system, right = E.T @ E + alpha * D_W + RIDGE * np.eye(d), E.T @ (R.T + Z)
        W = np.linalg.inv(system) @ right if inverse else np.linalg.solve(system, right)
        R = (np.linalg.inv(np.eye(n) + beta * D_R + RIDGE * np.eye(n)) @ (E @ W - Z)).T
        w, r = np.linalg.norm(W, axis=1), np.linalg.norm(R, axis=0)
        D_W, D_R = np.diag(1 / (2 * w + EPS)), np.diag(1 / (2 * r + EPS))
    return W


def peer(path: Path) -> Callable[[np.ndarray, np.ndarray, float, float], np.ndarray]:
    """The solver of the authors' public script: its `run(E, Z, lamda, beta, maxIt)`."""
    spec = importlib.util.spec_from_file_location("peer_selection", path)
    if spec is None or spec.loader is None or not path.is_file():
        raise SystemExit(f"--peer {path}: not a Python file; give the path of the authors' emb_selection.py.")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    if not hasattr(module, "run"):
        raise SystemExit(
            f"--peer {path}: has no function run(E, Z, lamda, beta, maxIt); give the authors' emb_selection.py."
        )

    def solve(E: np.ndarray, Z: np.ndarray, alpha: float, beta: float) -> np.ndarray:
        with contextlib.redirect_stdout(io.StringIO()):
            result = module.run(E, Z, alpha, beta, ITERATIONS)
        done = int(np.count_nonzero(result["loss"]))
        if done < ITERATIONS:
            print(f"  (the peer stopped by its rule after {done} iterations)")
        return result["W"]

    return solve


def ours(solver: Callable, *stop: float) -> Callable[[np.ndarray, np.ndarray, float, float], np.ndarray]:
    """A solver of the package as a function of NumPy arrays."""

    def solve(E: np.ndarray, Z: np.ndarray, alpha: float, beta: float) -> np.ndarray:
        columns = torch.as_tensor(E)[None].mT.contiguous()
        return solver(columns, torch.as_tensor(Z)[None], alpha, beta, *stop)[0].coef.numpy()

    return solve


def compare(E: np.ndarray, gamma: str, options: argparse.Namespace, methods: dict[str, Callable]) -> None:
    """Time every method in turn on one image and print medians, ratios and gaps."""
    Z = spectral_target(similarity_matrix(E, gamma=gamma), options.components).numpy()
    seconds: dict[str, list[float]] = {name: [] for name in methods}
    gaps = {}
    for _ in range(options.repeats):
        for name, solve in methods.items():
            started = time.perf_counter()
            W = solve(E, Z, options.alpha, options.beta)
            seconds[name].append(time.perf_counter() - started)
            _, gap = duality_gap(*map(torch.as_tensor, (E, Z, W)), options.alpha, options.beta)
            gaps[name] = float(gap)
    median = {name: statistics.median(times) for name, times in seconds.items()}
    baseline = min(value for name, value in median.items() if name.startswith("plain"))
    print(
        f"\none image {E.shape[0]} x {E.shape[1]}, h = {options.components}, gamma {gamma}, {options.repeats} repeats"
    )
    print(f"  {'method':34} {'seconds':>9} {'faster':>8} {'gap':>9}")
    for name, value in median.items():
        print(f"  {name:34} {value:9.3f} {baseline / value:7.1f}x {gaps[name]:9.1e}")


def scaling(options: argparse.Namespace) -> None:
    """Seconds of both solvers over the number of patches and over h."""
    print(f"\nscaling at d = {options.width} (seconds: published {ITERATIONS} iterations, irls to a gap of 1e-3)")
    sizes = [(n, options.components) for n in (40, 90, 180, 360)] + [(options.patches, h) for h in (5, 20, 40)]
    for n, h in sizes:
        E = synthetic_features(n, options.width, 1)
        Z = spectral_target(similarity_matrix(E, gamma="scale_free"), h).numpy()
        row = []
        for solve in (ours(solve_published, ITERATIONS, 0.0), ours(solve_irls, 1000, 1e-3)):
            started = time.perf_counter()
            solve(E, Z, options.alpha, options.beta)
            row.append(time.perf_counter() - started)
        print(f"  n = {n:4} h = {h:3}   published {row[0]:7.3f}   irls {row[1]:7.3f}")


def throughput(options: argparse.Namespace) -> None:
    """Images a second of fit_many, similarity and ranking included."""
    print(f"\nfit_many on {options.images} images of {options.patches} x {options.width}, {options.device}")
    images = [synthetic_features(options.patches, options.width, seed) for seed in range(options.images)]
    for solver in ("irls", "published"):
        selector = ResidualSelector(
            n_components=options.components,
            alpha=options.alpha,
            beta=options.beta,
            gamma="scale_free",
            solver=solver,
            device=options.device,
        )
        selector.fit_many(images[:2])
        started = time.perf_counter()
        fitted = selector.fit_many(images)
        rate = len(images) / (time.perf_counter() - started)
        worst = max(one.duality_gap_ for one in fitted)
        print(f"  {solver:10} {rate:7.2f} images/s, largest gap {worst:.1e}")


def largest_image(path: Path) -> np.ndarray:
    """Embeddings of the image with most patches in an embeddings table."""
    table = read_table(path, "embeddings")
    names, counts = np.unique(table["image_id"].to_numpy(zero_copy_only=False).astype(str), return_counts=True)
    chosen = table["image_id"].to_numpy(zero_copy_only=False).astype(str) == names[counts.argmax()]
    return embedding_matrix(table)[chosen].astype(np.float64)


def main() -> None:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--patches", type=int, default=180, help="patches of an image (default 180)")
    parser.add_argument("--width", type=int, default=2048, help="width of the features (default 2048)")
    parser.add_argument("--components", type=int, default=10, help="h (default 10)")
    parser.add_argument("--alpha", type=float, default=0.1)
    parser.add_argument("--beta", type=float, default=0.1)
    parser.add_argument("--repeats", type=int, default=3, help="timings of each method; the median counts (default 3)")
    parser.add_argument("--images", type=int, default=64, help="images of the throughput test (default 64)")
    parser.add_argument("--threads", type=int, default=torch.get_num_threads(), help="threads of torch")
    parser.add_argument("--device", default="cpu", help="device of the throughput test")
    parser.add_argument(
        "--embeddings", type=Path, help="embeddings table; its largest image replaces the synthetic one"
    )
    parser.add_argument("--peer", type=Path, help="the authors' emb_selection.py, timed with the others")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    warnings.filterwarnings("ignore", message="solver published stopped")  # fifty iterations are the protocol here
    print(
        f"torch {torch.__version__} with {torch.get_num_threads()} threads (set OMP_NUM_THREADS), numpy "
        f"{np.__version__}; fit_many always runs every operation in one thread"
    )

    methods = {
        "plain d x d, inverse": lambda *problem: plain(*problem, inverse=True),
        "plain d x d, solve": lambda *problem: plain(*problem, inverse=False),
    }
    if options.peer:
        methods["authors' script"] = peer(options.peer)
    methods["published, 50 iterations"] = ours(solve_published, ITERATIONS, 0.0)
    methods["irls to a gap of 1e-3"] = ours(solve_irls, 1000, 1e-3)
    E = synthetic_features(options.patches, options.width, 0)
    if options.embeddings:
        E = largest_image(options.embeddings)
    for gamma in ("published", "scale_free"):
        compare(E, gamma, options, methods)
    scaling(options)
    throughput(options)


if __name__ == "__main__":
    main()
