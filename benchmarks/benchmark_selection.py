"""Time the residual-selection solvers against the plain equations of arXiv 2412.12667, on one image and on many.

    python benchmarks/benchmark_selection.py --csv benchmarks/results            # --quick: in half a minute
    python benchmarks/benchmark_selection.py --embeddings gap.parquet stages.parquet --peer emb_selection.py

Kinds of features: pooled ReLU activations, Gaussian noise, standardised activations, crops of a photograph through
EfficientNet-Lite0 with both poolings, and the image with most patches of each embeddings table given. On each, with
both gammas, every method sees the same E and Z and is timed in turn; the tables show the smallest times, which other
work on the machine disturbs least. `plain` is the paper's Eq. 9 and 11 with d x d matrices in NumPy, once with the
printed inverse and once with a linear solve instead, a few iterations of it scaled up to fifty; ratios are against the
faster of the two, never across runs. Gaps certify how far each answer is from the optimum.
"""

import argparse
import contextlib
import importlib.util
import io
import itertools
import time
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pandas as pd
import scipy
from conditions import conditions

from iqadistill.selection.irls import solve_irls
from iqadistill.selection.objective import duality_gap
from iqadistill.selection.published import EPS, RIDGE, solve_published
from iqadistill.selection.residual import ResidualSelector
from iqadistill.selection.similarity import similarity_matrix, spectral_target

ITERATIONS = 50
PARTS = ("kinds", "scaling", "throughput")
PLAIN_REPEATS = 2


def synthetic_features(n: int, d: int, seed: int) -> np.ndarray:
    """Features (n, d) like pooled ReLU activations: non-negative, a low-rank scene plus noise, uneven channels."""
    rng = np.random.default_rng(seed)
    channel = rng.gamma(1.2, 0.35, d)
    scene = rng.standard_normal((n, 24)) @ rng.standard_normal((24, d)) / np.sqrt(24)
    return np.maximum(0, channel * (0.9 + 1.2 * scene + 0.25 * rng.standard_normal((n, d))))


def kinds_of_features(options: argparse.Namespace) -> Iterator[tuple[str, np.ndarray]]:
    """Names and features (n, d) of images."""
    n, d = options.patches, options.width
    yield "ReLU", synthetic_features(n, d, 0)
    yield "Gaussian", np.random.default_rng(0).standard_normal((n, d))
    activations = synthetic_features(n, d, 1)
    yield "standardised", (activations - activations.mean(0)) / activations.std(0)
    for pooling in ("gap", "stages"):
        yield f"lite0 {pooling}", photograph_features(n, pooling)
    for path in options.embeddings:
        yield path.stem, largest_image(path)


def photograph_features(n: int, pooling: str) -> np.ndarray:
    """EfficientNet-Lite0 embeddings (n, d) of random crops of 128 pixels of a photograph."""
    import torch

    from iqadistill.datasets.galleries.scenes import gallery_scenes
    from iqadistill.encoders.registry import ENCODERS
    from iqadistill.images.decoding import read_image

    image = read_image(next(scene.path for scene in gallery_scenes() if scene.name == "astronaut"))
    corners = np.random.default_rng(0).integers(0, np.array(image.shape[:2]) - 127, (n, 2))
    crops = torch.from_numpy(np.stack([image[y : y + 128, x : x + 128] for y, x in corners])).permute(0, 3, 1, 2)
    settings = {"backend": "timm", "model": "tf_efficientnet_lite0", "weights": "packaged", "pooling": pooling}
    encoder = ENCODERS.create(settings).create("cpu")
    return torch.cat([encoder.embed(batch) for batch in crops.split(16)]).double().numpy()


def plain(E: np.ndarray, Z: np.ndarray, alpha: float, beta: float, inverse: bool, iterations: int) -> np.ndarray:
    """Iterations of Eq. 9 and Eq. 11 with d x d matrices; returns W."""
    n, d = E.shape
    D_W, D_R, R = np.eye(d), np.eye(n), np.zeros((Z.shape[1], n))
    for _ in range(iterations):
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
    """A solver of the package as a function of E and Z."""

    def solve(E: np.ndarray, Z: np.ndarray, alpha: float, beta: float) -> np.ndarray:
        return solver(E, Z, alpha, beta, *stop).coef

    return solve


def target_of(E: np.ndarray, gamma: str, components: int) -> np.ndarray:
    """Z (n, h)."""
    return spectral_target(similarity_matrix(E, gamma=gamma), components)


def compare(options: argparse.Namespace, methods: dict[str, Callable]) -> pd.DataFrame:
    """Time every method in turn on each kind of features with both gammas; print times, ratios and gaps."""
    rows = []
    for (kind, E), gamma in itertools.product(kinds_of_features(options), ("published", "scale_free")):
        started = time.perf_counter()
        Z = target_of(E, gamma, options.components)
        seconds = {"similarity and target": [time.perf_counter() - started], **{name: [] for name in methods}}
        gaps = {}
        for repeat in range(options.repeats):
            for name, solve in methods.items():
                if repeat >= PLAIN_REPEATS and name.startswith("plain"):
                    continue  # they take seconds
                started = time.perf_counter()
                W = solve(E, Z, options.alpha, options.beta)
                seconds[name].append(time.perf_counter() - started)
                _, gap = duality_gap(E, Z, W, options.alpha, options.beta)
                gaps[name] = gap
            started = time.perf_counter()
            target_of(E, gamma, options.components)
            seconds["similarity and target"].append(time.perf_counter() - started)
        fastest = {name: min(times) for name, times in seconds.items()}
        for name in fastest:
            if name.startswith("plain") and options.plain_iterations < ITERATIONS:
                fastest[name] *= ITERATIONS / options.plain_iterations
                gaps[name] = np.nan
        baseline = min(value for name, value in fastest.items() if name.startswith("plain"))
        n, d = E.shape
        print(f"\n{kind}: one image {n} x {d}, h = {options.components}, gamma {gamma}")
        print(f"  {'method':34} {'ms':>9} {'faster':>8} {'gap':>9}")
        for name, value in fastest.items():
            gap = gaps.get(name, np.nan)
            print(f"  {name:34} {1000 * value:9.1f} {baseline / value:7.1f}x {gap:9.1e}", flush=True)
            entry = {"kind": kind, "gamma": gamma, "n": n, "d": d, "h": options.components, "method": name}
            rows.append({**entry, "seconds": value, "times_plain": baseline / value, "gap": gap})
    return pd.DataFrame(rows)


def scaling(options: argparse.Namespace, methods: dict[str, Callable]) -> pd.DataFrame:
    """Seconds and gaps of every method over the number of patches, the width and h, one at a time.

    A method that took longer than `--limit` seconds for one image is left out of the rest of its axis.
    """
    print("\nscaling, ReLU features, gamma scale_free")
    standard = {"n": options.patches, "d": options.width, "h": options.components}
    steps = {"n": (1 / 9, 2 / 9, 1 / 2, 1, 2), "d": (1 / 8, 1 / 4, 1 / 2, 1, 2), "h": (1 / 5, 1 / 2, 1, 2, 4)}
    rows = []
    for axis in options.axes:
        slow: set[str] = set()
        for step in steps[axis]:
            size = standard | {axis: round(standard[axis] * step)}
            E = synthetic_features(size["n"], size["d"], 1)
            Z = target_of(E, "scale_free", size["h"])
            for name, solve in methods.items():
                if name in slow:
                    continue
                times: list[float] = []
                while not times or (len(times) < options.repeats and sum(times) < 1):
                    started = time.perf_counter()
                    W = solve(E, Z, options.alpha, options.beta)
                    times.append(time.perf_counter() - started)
                _, gap = duality_gap(E, Z, W, options.alpha, options.beta)
                if min(times) > options.limit:
                    slow.add(name)
                entry = {"axis": axis, **size, "method": name, "seconds": min(times), "gap": gap}
                if name.startswith("plain") and options.plain_iterations < ITERATIONS:
                    entry |= {"seconds": min(times) * ITERATIONS / options.plain_iterations, "gap": np.nan}
                rows.append(entry)
                print(
                    "  n = {n:4} d = {d:4} h = {h:3} {method:28} {seconds:9.4f} s, gap {gap:.1e}".format(**entry),
                    flush=True,
                )
    return pd.DataFrame(rows)


def throughput(options: argparse.Namespace) -> None:
    """Images a second of fit_many, similarity and ranking included."""
    print(f"\nfit_many on {options.images} images of {options.patches} x {options.width}")
    images = [synthetic_features(options.patches, options.width, seed) for seed in range(options.images)]
    for solver in ("irls", "published"):
        selector = ResidualSelector(
            n_components=options.components,
            alpha=options.alpha,
            beta=options.beta,
            gamma="scale_free",
            solver=solver,
        )
        selector.fit_many(images[:2])
        started = time.perf_counter()
        fitted = selector.fit_many(images)
        rate = len(images) / (time.perf_counter() - started)
        worst = max(one.duality_gap_ for one in fitted)
        print(f"  {solver:10} {rate:7.2f} images/s, largest gap {worst:.1e}")


def largest_image(path: Path) -> np.ndarray:
    """Embeddings of the image with most patches in an embeddings table."""
    from iqadistill.tables import embedding_matrix, read_table

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
    parser.add_argument("--repeats", type=int, default=9, help="timings of each method but plain; the smallest counts")
    parser.add_argument(
        "--plain-iterations", type=int, default=5, help="iterations to time, fewer than 50 are scaled up (default 5)"
    )
    parser.add_argument("--images", type=int, default=64, help="images of the throughput test (default 64)")
    parser.add_argument("--embeddings", type=Path, nargs="*", default=[], help="embeddings tables, one kind each")
    parser.add_argument("--csv", type=Path, help="folder for the tables selection_kinds.csv and selection_scaling.csv")
    parser.add_argument("--parts", nargs="+", choices=PARTS, default=PARTS, help="what to measure (default: all)")
    parser.add_argument("--axes", nargs="+", choices="ndh", default="ndh", help="axes of the scaling (default: all)")
    parser.add_argument("--limit", type=float, default=10, help="seconds from which a method is left out (default 10)")
    parser.add_argument("--quick", action="store_true", help="small images and few repeats, to try it")
    parser.add_argument("--peer", type=Path, help="the authors' emb_selection.py, timed with the others")
    options = parser.parse_args()
    if options.quick:
        options.patches, options.width, options.repeats, options.images = 60, 512, 3, 8
    warnings.filterwarnings("ignore", message="solver published stopped")  # fifty iterations are the protocol here
    print(
        f"numpy {np.__version__}, scipy {scipy.__version__}; OMP_NUM_THREADS sets the threads of all but "
        "fit_many, which runs every operation in one thread"
    )

    methods = {
        "plain d x d, inverse": lambda *problem: plain(*problem, inverse=True, iterations=options.plain_iterations),
        "plain d x d, solve": lambda *problem: plain(*problem, inverse=False, iterations=options.plain_iterations),
    }
    if options.peer:
        methods["authors' script"] = peer(options.peer)
    methods["published, 50 iterations"] = ours(solve_published, ITERATIONS, 0.0)
    methods["irls to a gap of 1e-3"] = ours(solve_irls, 1000, 1e-3)
    tables = {}
    if "kinds" in options.parts:
        tables["selection_kinds"] = compare(options, methods)
    if "scaling" in options.parts:
        exact = {name: solve for name, solve in methods.items() if name != "plain d x d, inverse"}
        tables["selection_scaling"] = scaling(options, exact | peers_installed())
    if "throughput" in options.parts:
        throughput(options)
    if options.csv:
        options.csv.mkdir(parents=True, exist_ok=True)
        for name, table in tables.items():
            table.assign(**conditions()).to_csv(options.csv / f"{name}.csv", index=False)


def peers_installed() -> dict[str, Callable]:
    """Exact solvers of other packages that are installed, at the loosest tolerance of benchmark_peers.py."""
    from benchmark_peers import PEERS, solve_with

    found = {}
    E = synthetic_features(20, 30, 0)
    Z = target_of(E, "scale_free", 3)
    for name, (package, solver, tolerances) in PEERS.items():
        if importlib.util.find_spec(package) is None or package == "sklearn":  # that takes a minute for one image
            continue

        def solve(E: np.ndarray, Z: np.ndarray, alpha: float, beta: float, solver=solver, tol=tolerances[0]):
            return solve_with(solver, E, Z, alpha, beta, tol)

        try:
            solve(E, Z, 0.1, 0.1)  # compiles
        except Exception as error:  # a peer that fails is a result, too
            print(f"{name} failed: {type(error).__name__}: {error}")
        else:
            found[name] = solve
    return found


if __name__ == "__main__":
    main()
