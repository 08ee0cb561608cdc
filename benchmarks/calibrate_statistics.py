"""Size, power and coverage of every test and interval that decides, in simulated studies with the package's own MLP.

    python benchmarks/calibrate_statistics.py
    python benchmarks/calibrate_statistics.py --designs 150x1 --studies 20 --processes 2

A design is contents x images of a content. A study draws images with qualities and embeddings, splits them by content
as `split_dataset` does, trains MLPs with `train_mlps`, and asks the package's own functions. What is compared is
exchangeable, so that the true difference is zero: each rejection is an error of the first kind, and an interval without
zero misses. Power is the share of rejections with a selector that keeps patches of less noise; beside it stands the
smallest detectable difference as the verdicts state it, and the difference as it is on average.

- selector: among random rankings (`compare_with_random`), its place among them and the interval over contents.
- one ranking: two random rankings by the corrected t-test, as in exploratory comparisons.
- encoders: two encoders with noise of their own; students: two that differ in their initial weights. With the error
  over contents and trainings (`contents_estimate`), as in primary comparisons, and by the corrected t-test, as in
  exploratory ones.
- level: the interval of the SRCC of one variant, by the corrected t-test on Fisher's z; the true value is the mean over
  all studies of the design.
"""

import argparse
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass

import numpy as np
import pandas as pd
import pyarrow as pa
import torch
from scipy.special import stdtrit

from iqadistill.datasets.splits import split_dataset
from iqadistill.evaluation.jackknife import SplitScores, contents_estimate
from iqadistill.evaluation.paired import paired_test
from iqadistill.evaluation.random_rankings import compare_with_random
from iqadistill.evaluation.verdicts import LEVEL, Estimate, decide
from iqadistill.models.students.mlp import MlpSettings
from iqadistill.tables import as_table, embeddings_table
from iqadistill.training.mlp.prediction import predict_mlps
from iqadistill.training.mlp.training import train_mlps
from iqadistill.training.rank_correlation import rank_correlation

PATCHES, WIDTH, KEEP, DRAWS, SPLITS = 10, 24, 0.3, 39, 10
MARGIN = 0.01
STUDENT = MlpSettings(model="mlp", hidden=(16,), dropout=(0.25,), epochs=15, batch_images=16, lr=0.003)
DIRECTION = np.cos(np.arange(WIDTH))  # of quality in the embeddings
NAMES = {"sampler": "simulated", "encoder": "simulated"}


@dataclass(frozen=True)
class World:
    """Images of one simulated study.

    Attributes:
        images: Table "images".
        splits: Table "splits".
        quality: Latent qualities (I,).
        content: Number (I,) of each image's content.
    """

    images: pa.Table
    splits: pa.Table
    quality: np.ndarray
    content: np.ndarray

    @classmethod
    def draw(cls, contents: int, per_content: int, rng: np.random.Generator) -> "World":
        """Images of a design."""
        content = np.repeat(np.arange(contents), per_content)
        quality = rng.normal(size=len(content))
        scaled = (quality - quality.min()) / np.ptp(quality)
        rows = {"dataset": "simulated", "image_id": [f"{i:05d}" for i in range(len(content))], "quality": scaled}
        rows |= {"score": scaled, "reference_id": content.astype(str), "status": "ok", "is_reference": False}
        images = as_table(pd.DataFrame(rows), "images")
        splits = split_dataset(
            images, splits=SPLITS, test_fraction=0.2, val_fraction=0.0, seed=int(rng.integers(2**31))
        )
        return cls(images, splits, quality, content)

    def embed(self, rng: np.random.Generator) -> tuple[pa.Table, np.ndarray]:
        """Embeddings of an encoder with noise of its own, and the noise level (I, PATCHES) of each patch."""
        images = len(self.quality)
        level = rng.gamma(4.0, 0.25, size=(images, PATCHES, 1))
        of_content = rng.normal(size=(self.content.max() + 1, 1, WIDTH))[self.content]
        of_image = 0.6 * rng.normal(size=(images, 1, WIDTH))
        of_patch = 1.5 * level * rng.normal(size=(images, PATCHES, WIDTH))
        vectors = np.tanh(0.45 * self.quality[:, None, None] * DIRECTION + of_content + of_image + of_patch)
        image_id = np.repeat(self.images["image_id"].to_pylist(), PATCHES).tolist()
        table = embeddings_table(np.arange(images * PATCHES), image_id, vectors.reshape(-1, WIDTH).astype(np.float32))
        return table, level[..., 0]

    def scores(self, embeddings: pa.Table, rankings: list[np.ndarray], seed: int) -> list[SplitScores]:
        """Test images of each split as students of rankings (I, PATCHES), or of all patches, score them."""
        selections = {
            str(number): as_table(
                embeddings.select(["patch_id", "image_id"]).append_column(
                    "rank", pa.array(rank.ravel().astype(np.int32))
                ),
                "selection",
            )
            for number, rank in enumerate(rankings)
        }
        variants = [(name, KEEP) for name in selections] or [("all", 1.0)]
        mlps = train_mlps(embeddings, self.images, self.splits, selections, variants, STUDENT, seed=seed)
        predictions = predict_mlps(mlps, embeddings, self.images, selections, **NAMES).to_pandas()
        roles = self.splits.to_pandas().query("role == 'test'")
        codes = pd.Series(self.content, self.images["image_id"].to_pylist())
        tests = []
        for split, tested in roles.groupby("split"):
            wide = predictions[predictions.split == split].pivot(
                index="image_id", columns="selector", values="prediction"
            )
            rows = wide.loc[tested.image_id, [name for name, _ in variants]]
            scores = predictions.drop_duplicates("image_id").set_index("image_id").score[tested.image_id]
            tests.append(SplitScores(rows.to_numpy().T, scores.to_numpy(), codes[tested.image_id].to_numpy()))
        return tests


def simulate(contents: int, per_content: int, seed: int) -> list[dict[str, float | str]]:
    """Outcomes of all tests and intervals in one simulated study.

    Args:
        contents: Number of contents.
        per_content: Images of a content.
        seed: Seed of the study.
    """
    torch.set_num_threads(1)
    rng = np.random.default_rng([seed, contents, per_content])
    world = World.draw(contents, per_content, rng)
    embeddings, noise = world.embed(rng)
    other, _ = world.embed(rng)
    shape = noise.shape
    random = [np.argsort(np.argsort(rng.random(shape), 1), 1) for _ in range(1 + DRAWS)]
    better = np.argsort(np.argsort(noise + 0.6 * rng.random(shape), 1), 1)
    tests = world.scores(embeddings, [*random, better], seed)
    whole = [
        world.scores(*pair) for pair in ((embeddings, [], seed), (other, [], seed), (embeddings, [], seed + 10**6))
    ]
    return [
        _among_random("selector", tests, [*range(1 + DRAWS)]),
        _among_random("selector, better", tests, [1 + DRAWS, *range(1, 1 + DRAWS)]),
        _paired("one ranking", *(_srcc(tests, row) for row in (0, 1)), world),
        _over_contents("encoders", whole[0], whole[1]),
        _over_contents("students", whole[0], whole[2]),
        _paired("encoders, corrected t", _srcc(whole[0], 0), _srcc(whole[1], 0), world),
        _paired("students, corrected t", _srcc(whole[0], 0), _srcc(whole[2], 0), world),
        _level(_srcc(whole[0], 0), world),
    ]


def _srcc(tests: list[SplitScores], row: int) -> np.ndarray:
    return np.array([rank_correlation(test.predictions[[row]], test.scores)[0] for test in tests])


def _among_random(name: str, tests: list[SplitScores], rows: list[int]) -> dict[str, float | str]:
    ordered = [SplitScores(test.predictions[rows], test.scores, test.content) for test in tests]
    return _outcome(name, compare_with_random(ordered).estimate)


def _paired(name: str, a: np.ndarray, b: np.ndarray, world: World) -> dict[str, float | str]:
    images = len(world.quality)
    test = paired_test(a, b, n_train=0.8 * images, n_test=0.2 * images)
    return _outcome(name, Estimate(test.delta, test.error, test.degrees, test.p, test.error, test.degrees))


def _over_contents(name: str, a: list[SplitScores], b: list[SplitScores]) -> dict[str, float | str]:
    pairs = zip(a, b, strict=True)
    both = [SplitScores(np.vstack([x.predictions, y.predictions]), x.scores, x.content) for x, y in pairs]
    return _outcome(name, contents_estimate(both))


def _outcome(name: str, estimate: Estimate) -> dict[str, float | str]:
    (verdict,) = decide([estimate], MARGIN)
    return {
        "what": name,
        "difference": estimate.difference,
        "rejected": float(estimate.p <= LEVEL),
        "low": verdict.low,
        "high": verdict.high,
        "smallest_detectable": verdict.smallest_detectable,
        "verdict": verdict.verdict,
    }


def _level(srcc: np.ndarray, world: World) -> dict[str, float | str]:
    z = np.arctanh(srcc)
    images = len(world.quality)
    test = paired_test(z, np.zeros_like(z), n_train=0.8 * images, n_test=0.2 * images)
    half = test.error * stdtrit(test.degrees, 1 - LEVEL / 2)
    ends = np.tanh([test.delta - half, test.delta + half])
    return {"what": "level", "difference": float(np.tanh(test.delta)), "low": float(ends[0]), "high": float(ends[1])}


def calibrate(design: tuple[int, int], studies: int, processes: int) -> pd.DataFrame:
    """Rates over simulated studies of a design, one row a test or interval.

    Args:
        design: Contents and images of a content.
        studies: Number of studies.
        processes: Number of processes.
    """
    with ProcessPoolExecutor(processes) as pool:
        outcomes = pool.map(simulate, *zip(*(((*design, seed)) for seed in range(studies)), strict=True))
        rows = pd.DataFrame([row for study in outcomes for row in study])
    return pd.DataFrame(_rates(design, rows))


def _rates(design: tuple[int, int], rows: pd.DataFrame) -> Iterator[dict[str, float | str]]:
    for what, group in rows.groupby("what", sort=False):
        truth = group.difference.mean() if what in ("level", "selector, better") else 0.0
        covered = (group.low <= truth) & (truth <= group.high)
        yield {
            "design": "x".join(map(str, design)),
            "what": str(what),
            "studies": len(group),
            "true value": truth,
            "rejected": group.rejected.mean(),
            "coverage": covered.mean(),
            "equivalent": (group.verdict == "equivalent").mean() if what != "level" else np.nan,
            "deviation of the difference": group.difference.std(),
            "smallest detectable": group.smallest_detectable.median(),
            "width of the interval": (group.high - group.low).median(),
        }


def main() -> None:
    """Simulate all designs and print their table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--designs", nargs="+", default=["150x1", "300x1", "17x9"])
    parser.add_argument("--studies", type=int, default=200)
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--csv", help="File for the table.")
    options = parser.parse_args()
    designs = [tuple(map(int, design.split("x"))) for design in options.designs]
    tables = []
    for contents, per_content in designs:
        tables.append(calibrate((contents, per_content), options.studies, options.processes))
        print(tables[-1].round(4).to_string(index=False), flush=True)
    if options.csv:
        pd.concat(tables).to_csv(options.csv, index=False)


if __name__ == "__main__":
    main()
