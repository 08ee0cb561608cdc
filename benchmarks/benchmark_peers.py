"""Exact solvers of other packages beside ours on the very problem of residual selection: seconds and certified gap.

    python -m venv peers && peers/bin/pip install -c constraints.txt -e . -r benchmarks/peers.txt
    OMP_NUM_THREADS=1 peers/bin/python benchmarks/benchmark_peers.py --csv benchmarks/results

With R as further coefficients the problem is min ||[E, -I] V - Z||_F^2 + sum_j l_j ||v_j||, l = alpha for the d rows
of W and beta for the n rows of R^T. After division of column j by l_j it is a multi-task lasso, of penalty 1 / (2 n) in
scikit-learn's form, which celer and skglm share, and 1 / (2 n h) in adelie's. So all packages solve exactly our
problem, and the gap of their W, R eliminated, is ours for all. Packages that are not installed are left out. Each
method runs once, after a small problem that compiles it, at the tolerances in the table.
"""

import argparse
import time
import warnings
from collections.abc import Callable
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pandas as pd
from benchmark_selection import kinds_of_features, ours, target_of
from conditions import conditions

from iqadistill.selection.irls import solve_irls
from iqadistill.selection.objective import duality_gap

Solver = Callable[[np.ndarray, np.ndarray, float], np.ndarray]
"""Coefficients V (p, h) that minimise ||X V - Z||^2 + sum of row norms, from X (n, p), Z (n, h) and a tolerance."""


def sklearn_lasso(X: np.ndarray, Z: np.ndarray, tol: float) -> np.ndarray:
    """Coordinate descent of scikit-learn."""
    from sklearn.linear_model import MultiTaskLasso

    model = MultiTaskLasso(alpha=1 / (2 * len(X)), fit_intercept=False, max_iter=100_000, tol=tol)
    return model.fit(X, Z).coef_.T


def celer_lasso(X: np.ndarray, Z: np.ndarray, tol: float) -> np.ndarray:
    """Working sets with dual extrapolation."""
    from celer.homotopy import mtl_path

    _, coefficients, _ = mtl_path(np.asfortranarray(X), np.asfortranarray(Z), alphas=[1 / (2 * len(X))], tol=tol)[:3]
    return coefficients[:, :, 0].T


def skglm_lasso(X: np.ndarray, Z: np.ndarray, tol: float) -> np.ndarray:
    """Working sets with Anderson acceleration."""
    from skglm import MultiTaskLasso

    model = MultiTaskLasso(alpha=1 / (2 * len(X)), fit_intercept=False, tol=tol)
    return model.fit(np.asfortranarray(X), Z).coef_.T


def adelie_lasso(X: np.ndarray, Z: np.ndarray, tol: float) -> np.ndarray:
    """Group lasso of adelie, a group for each row; its loss of h responses is the squared error over 2 n h."""
    import adelie

    n, h = Z.shape
    state = adelie.grpnet(
        X=np.asfortranarray(X),
        glm=adelie.glm.multigaussian(np.ascontiguousarray(Z)),
        penalty=np.ones(X.shape[1]),
        lmda_path=np.geomspace(20, 1, 12) / (2 * n * h),
        intercept=False,
        early_exit=False,
        tol=tol,
        progress_bar=False,
    )
    return state.betas[-1].toarray().reshape(X.shape[1], h)


PEERS: dict[str, tuple[str, Solver, tuple[float, ...]]] = {
    "skglm": ("skglm", skglm_lasso, (1e-4, 1e-5)),
    "celer": ("celer", celer_lasso, (1e-4, 1e-5)),
    "adelie": ("adelie", adelie_lasso, (1e-7, 1e-9)),
    "scikit-learn": ("sklearn", sklearn_lasso, (1e-4, 1e-5)),
}


def solve_with(solver: Solver, E: np.ndarray, Z: np.ndarray, alpha: float, beta: float, tol: float) -> np.ndarray:
    """W (d, h) of a peer."""
    X = np.hstack([E / alpha, -np.eye(len(E)) / beta])
    return np.ascontiguousarray(solver(X, Z, tol)[: E.shape[1]]) / alpha


def main() -> None:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--patches", type=int, default=180)
    parser.add_argument("--width", type=int, default=2048)
    parser.add_argument("--components", type=int, default=10)
    parser.add_argument("--gamma", default="scale_free", choices=("published", "scale_free"))
    parser.add_argument("--kinds", nargs="*", default=["ReLU"], help="kinds of features of benchmark_selection.py")
    parser.add_argument("--embeddings", type=Path, nargs="*", default=[], help="embeddings tables, one kind each")
    parser.add_argument("--csv", type=Path, help="folder for the table selection_peers.csv")
    parser.add_argument("--quick", action="store_true", help="a small image, to try it")
    options = parser.parse_args()
    if options.quick:
        options.patches, options.width = 60, 512
    warnings.filterwarnings("ignore")  # peers warn that they have not converged; their gap says so
    alpha = beta = 0.1
    rows = []
    for kind, E in kinds_of_features(options):
        if kind not in options.kinds and not options.embeddings:
            continue
        Z = target_of(E, options.gamma, options.components)
        small = E[:20, :30].copy(), target_of(E[:20, :30], options.gamma, 3)
        methods: dict[str, Callable[[np.ndarray, np.ndarray], np.ndarray]] = {}
        for tol in (1e-3, 1e-6):
            methods[f"iqadistill irls, tol {tol:g}"] = lambda E, Z, tol=tol: ours(solve_irls, 1000, tol)(
                E, Z, alpha, beta
            )
        for name, (package, solver, tolerances) in PEERS.items():
            if find_spec(package) is None:
                print(f"{name}: not installed")
                continue
            for tol in tolerances:
                methods[f"{name}, tol {tol:g}"] = lambda E, Z, solver=solver, tol=tol: solve_with(
                    solver, E, Z, alpha, beta, tol
                )
        print(f"{kind}, {E.shape[0]} x {E.shape[1]}, h = {options.components}, gamma {options.gamma}", flush=True)
        for name, solve in methods.items():
            try:
                solve(*small)
                started = time.perf_counter()
                W = solve(E, Z)
                seconds = time.perf_counter() - started
            except Exception as error:  # a peer that fails is a result, too
                print(f"  {name:30} failed: {type(error).__name__}: {error}", flush=True)
                continue
            _, gap = duality_gap(E, Z, W, alpha, beta)
            rows.append({"kind": kind, "gamma": options.gamma, "method": name, "seconds": seconds, "gap": gap})
            print(f"  {name:30} {seconds:9.3f} s, gap {gap:.1e}", flush=True)
    if options.csv:
        options.csv.mkdir(parents=True, exist_ok=True)
        versions = {package: version(name) for name, (package, _, _) in PEERS.items() if find_spec(package)}
        table = pd.DataFrame(rows).assign(**conditions(), **versions)
        table.to_csv(options.csv / "selection_peers.csv", index=False)


if __name__ == "__main__":
    main()
