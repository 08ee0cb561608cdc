"""Choosers of images to have rated beside bmdal-reg and scikit-activeml: accuracy at equal numbers of ratings, time.

    python -m venv peers && peers/bin/pip install . -r benchmarks/peers_choosing.txt
    peers/bin/python benchmarks/benchmark_choosing.py --results results --dataset own_images

Reads embeddings, images and scores of a dataset in the results of a study. On each of several content-disjoint splits
every chooser sees the same features of the training images, those of `iqadistill choose`, and no score. A ridge
regression on the embeddings of the chosen images, its penalty by leave-one-out error, is tested on the test images.
The same is done for random draws. A cell of the table shows the mean SRCC over splits, how many of the random draws are
below it, and how many random ratings reach it, read off the mean of the draws between the budgets; the last column is
the median time of the largest choice. Methods of peers are those that need no score and no network; their settings are
the packages' own.
"""

import argparse
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
from scipy.stats import spearmanr
from sklearn.linear_model import RidgeCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from iqadistill.choosing import CHOOSERS
from iqadistill.choosing.features import image_features
from iqadistill.datasets.splits import split_dataset
from iqadistill.tables import embedding_matrix, read_table

Chooser = Callable[[np.ndarray, int], np.ndarray]
"""Indices of so many images by features (n, p)."""

PENALTIES = np.logspace(0, 5, 11)
NONE = np.array([], dtype=np.int64)
BMDAL = ("maxdet", "bait", "fw", "maxdist", "kmeanspp", "lcmd")
ACTIVEML = ("TypiClust", "ProbCover", "CoreSet", "GreedySamplingX", "MaxHerding")


def ours(name: str) -> Chooser:
    """A chooser of the package."""
    settings = CHOOSERS.create({"method": name})
    return lambda features, count: settings.choose(features, count, NONE, 0)


def bmdal(method: str) -> Chooser:
    """A selection method of bmdal-reg on the linear kernel, for a first batch: nothing is rated yet."""
    import torch

    np.Inf = np.inf  # the name that bmdal-reg 3.0.2 uses, which NumPy 2 does not have
    from bmdal_reg.bmdal.algorithms import select_batch
    from bmdal_reg.bmdal.feature_data import TensorFeatureData

    def choose(features: np.ndarray, count: int) -> np.ndarray:
        torch.manual_seed(0)
        np.random.seed(0)  # k-means++ of bmdal-reg draws from it
        scale = np.sqrt((features**2).sum(1).mean())  # the noise below is then relative, as in `v_optimal`
        pool = torch.from_numpy(features / scale)
        chosen, _ = select_batch(
            batch_size=count,
            models=[torch.nn.Identity()],
            data={"train": TensorFeatureData(torch.zeros(1, pool.shape[1]).double()), "pool": TensorFeatureData(pool)},
            y_train=None,
            base_kernel="linear",
            kernel_transforms=[],
            selection_method=method,
            sel_with_train=False,
            maxdet_sigma=np.sqrt(0.1),
            bait_sigma=np.sqrt(0.1),
            verbosity=0,
        )
        return chosen.numpy()

    return choose


def activeml(name: str) -> Chooser:
    """A query strategy of scikit-activeml, for a first batch: no score is known."""
    import skactiveml.pool

    strategy = getattr(skactiveml.pool, name)

    def choose(features: np.ndarray, count: int) -> np.ndarray:
        return strategy(random_state=0).query(features, np.full(len(features), np.nan), batch_size=count)

    return choose


def choosers() -> dict[str, Chooser]:
    """All choosers by name; peers that are not installed are left out with a note."""
    found = {f"iqadistill {name}": ours(name) for name in CHOOSERS if name != "random"}
    for package, names, create in (("bmdal-reg", BMDAL, bmdal), ("scikit-activeml", ACTIVEML, activeml)):
        try:
            found |= {f"{package} {name}": create(name) for name in names}
        except ImportError as error:
            print(f"{package} is left out: {error}; install benchmarks/peers_choosing.txt.")
    return found


def read_images(results: Path, given: argparse.Namespace) -> tuple[np.ndarray, pd.DataFrame, pa.Table]:
    """Mean embeddings (n, d) of the scored images, their rows, and table "images"."""
    pattern = f"embed_patches/{given.dataset}-*/{given.sampler}-*/{given.encoder}-*.parquet"
    files = sorted(results.glob(pattern))
    if len(files) != 1:
        raise SystemExit(
            f"{results}/{pattern}: {len(files)} files, expected one; give --sampler and --encoder"
            + "".join(f"\n  {file}" for file in files)
        )
    images = read_table(results / "index_dataset" / f"{files[0].parts[-3]}.parquet", "images")
    table = read_table(files[0], "embeddings")
    vectors, names = embedding_matrix(table), pd.factorize(np.array(table["image_id"].to_pylist()))
    counts = np.bincount(names[0])
    means = np.zeros((len(counts), vectors.shape[1]))
    np.add.at(means, names[0], vectors)
    rows = images.to_pandas().set_index("image_id")
    rows = rows[rows.score.notna() & (rows.status == "ok") & ~rows.is_reference.fillna(False).astype(bool)]
    place = pd.Series(range(len(counts)), names[1]).reindex(rows.index)
    return (means / counts[:, None])[place], rows, images


@dataclass(frozen=True)
class Collection:
    """Scored images and their splits.

    Attributes:
        embeddings: Mean embeddings (n, d).
        scores: Scores (n,).
        contents: Number (n,) of each image's content.
        splits: Indices of the training and of the test images of each split.
    """

    embeddings: np.ndarray
    scores: np.ndarray
    contents: np.ndarray
    splits: list[tuple[np.ndarray, np.ndarray]]

    def srcc(self, chosen: Iterable[np.ndarray]) -> float:
        """Mean SRCC over splits with the chosen images, indices into the training images of each split."""
        return float(
            np.mean(
                [
                    accuracy(self.embeddings, self.scores, train[of_split], test)
                    for (train, test), of_split in zip(self.splits, chosen, strict=True)
                ]
            )
        )

    def random_srcc(self, budget: int, draws: int) -> np.ndarray:
        """SRCC (draws,) with random images; those of a larger budget contain those of a smaller one."""
        return np.array(
            [
                self.srcc(
                    np.random.default_rng([split, draw]).permutation(len(train))[:budget]
                    for split, (train, _) in enumerate(self.splits)
                )
                for draw in range(draws)
            ]
        )

    def features(self, centred: bool) -> list[np.ndarray]:
        """Features of the training images of each split, with the means of contents subtracted or not."""
        return [
            image_features(self.embeddings[train], self.contents[train] if centred else None)
            for train, _ in self.splits
        ]


def accuracy(embeddings: np.ndarray, scores: np.ndarray, chosen: np.ndarray, test: np.ndarray) -> float:
    """SRCC on test images of a ridge regression on chosen images; 0 where it predicts one value."""
    model = make_pipeline(StandardScaler(), RidgeCV(PENALTIES)).fit(embeddings[chosen], scores[chosen])
    predicted = model.predict(embeddings[test])
    return float(spearmanr(predicted, scores[test]).statistic) if np.ptp(predicted) else 0.0


def random_ratings(srcc: float, budgets: Sequence[int], means: Sequence[float]) -> str:
    """Number of random ratings whose mean SRCC is `srcc`, on a logarithmic scale between budgets."""
    if srcc < means[0] or srcc > means[-1]:
        return f"<{budgets[0]}" if srcc < means[0] else f">{budgets[-1]}"
    return f"{np.exp(np.interp(srcc, np.maximum.accumulate(means), np.log(budgets))):.0f}"


def main() -> None:
    """Print a table without the use of contents and, where images share them, one with it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--results", type=Path, default=Path("results"), help="results of a study (default: results)")
    parser.add_argument("--dataset", required=True, help="name of a dataset of the study")
    parser.add_argument("--sampler", default="*", help="sampler, where the dataset has several")
    parser.add_argument("--encoder", default="*", help="encoder, where the dataset has several")
    parser.add_argument("--budgets", type=int, nargs="+", default=[10, 20, 40, 80])
    parser.add_argument("--splits", type=int, default=20, help="content-disjoint splits, a fifth tested (default: 20)")
    parser.add_argument("--draws", type=int, default=99, help="random draws (default: 99)")
    given = parser.parse_args()
    embeddings, rows, images = read_images(given.results, given)
    splits = split_dataset(images, splits=given.splits, test_fraction=0.2, val_fraction=0.0, seed=0).to_pandas()
    roles = [of_split.set_index("image_id").role.reindex(rows.index) for _, of_split in splits.groupby("split")]
    collection = Collection(
        embeddings,
        rows.score.to_numpy(float),
        pd.factorize(rows.reference_id)[0],
        [(np.flatnonzero(role == "train"), np.flatnonzero(role == "test")) for role in roles],
    )
    contents = rows.reference_id.nunique()
    print(f"{given.dataset}: {len(rows)} images of {contents} contents, {given.splits} splits")
    print(f"all training images: {collection.srcc(np.arange(len(train)) for train, _ in collection.splits):.3f}")
    random = {budget: collection.random_srcc(budget, given.draws) for budget in given.budgets}
    print_table("contents not used", collection, collection.features(False), random)
    if contents < len(rows):
        print_table("contents known", collection, collection.features(True), random)


def print_table(
    title: str, collection: Collection, features: list[np.ndarray], random: Mapping[int, np.ndarray]
) -> None:
    """Print what every chooser reaches with the features, beside the SRCC (draws,) of random draws of each budget."""
    means = [draws.mean() for draws in random.values()]
    deviations = [draws.std(ddof=1) for draws in random.values()]
    print(f"\n{title:31}" + "".join(f"{budget:6} {'below':>6}{'equal':>6}" for budget in random) + f"{'ms':>9}")
    print(f"{'random, mean of draws':31}" + "".join(f"{mean:6.3f}{'':13}" for mean in means))
    print(f"{'random, deviation of a draw':31}" + "".join(f"{deviation:6.3f}{'':13}" for deviation in deviations))
    for name, choose in choosers().items():
        cells, times = [], np.zeros(len(features))
        for budget, draws in random.items():
            chosen = []
            for split, of_split in enumerate(features):
                start = time.perf_counter()
                chosen.append(choose(of_split, budget))
                times[split] = time.perf_counter() - start
            srcc = collection.srcc(chosen)
            below, equal = (draws < srcc).sum(), random_ratings(srcc, list(random), means)
            cells.append(f"{srcc:6.3f} {f'{below}/{len(draws)}':>6}{equal:>6}")
        print(f"{name:31}" + "".join(cells) + f"{1e3 * np.median(times):9.1f}", flush=True)


if __name__ == "__main__":
    main()
