"""Students trained on random rankings, and their scores of the test images: what a selector is ranked among."""

from collections.abc import Mapping
from dataclasses import replace

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from iqadistill.models.students.mlp import MlpSettings
from iqadistill.selection.random_draws import RandomRankings
from iqadistill.tables import as_table
from iqadistill.training.mlp.prediction import predict_mlps
from iqadistill.training.mlp.training import train_mlps

CHUNK_BYTES = 2**29  # of the weights of students that are trained before the next ones


def predict_random_draws(
    embeddings: pa.Table,
    images: pa.Table,
    splits: pa.Table,
    draws: Mapping[float, int],
    settings: MlpSettings,
    *,
    names: Mapping[str, str],
    seed: int,
    pooling: str = "mean",
    test_patches: str = "all",
    scored: pa.Table | None = None,
    patches: pa.Table | None = None,
    device: str = "cpu",
) -> pa.Table:
    """Train a student on each random ranking and split, as those of selectors are trained, and score the test images.

    Args:
        embeddings: Table "embeddings".
        images: Table "images".
        splits: Table "splits".
        draws: Number of random rankings by keep rate; the first rankings of all rates are the same.
        settings: Settings of the student.
        names: Names for the variant columns sampler, encoder and student.
        seed: Seed of the study.
        pooling: How patch scores become an image score.
        test_patches: "all" to score an image by all its patches, "kept" by those that the ranking keeps.
        scored: Table "embeddings" of the patches that may score an image; default: all.
        patches: Table "patches", for weighted pooling.
        device: "cpu", "cuda" or "cuda:N".

    Returns:
        Table "draws", with rows of test images only.
    """
    rankings = RandomRankings(embeddings, seed=seed)
    width = embeddings["embedding"].type.list_size
    models = max(1, CHUNK_BYTES // (4 * settings.count_parameters(width) * len(splits["split"].unique()) * len(draws)))
    tested = {
        split: images.filter(pc.is_in(images["image_id"], pa.array(rows.image_id)))
        for split, rows in splits.to_pandas().query("role == 'test'").groupby("split")
    }
    parts = []
    most = max(draws.values())
    for start in range(0, most, models):
        numbers = range(start, min(start + models, most))
        selections = {f"{number}": rankings.draw(number) for number in numbers}
        variants = [(f"{number}", keep) for keep, count in draws.items() for number in numbers if number < count]
        mlps = train_mlps(embeddings, images, splits, selections, variants, settings, seed=seed, device=device)
        for split, test_images in tested.items():
            places = [place for place, variant in enumerate(mlps.variants) if variant.split == split]
            predictions = predict_mlps(
                replace(mlps, variants=[mlps.variants[place] for place in places], stack=mlps.stack[places]),
                embeddings if scored is None else scored,
                test_images,
                selections,
                **names,
                pooling=pooling,
                test_patches=test_patches,
                patches=patches,
            )
            rows = predictions.to_pandas()
            parts.append(rows.assign(draw=rows.selector.astype(int)))
    columns = ["dataset", "image_id", "sampler", "encoder", "keep", "student", "split", "draw", "score", "prediction"]
    return as_table(pd.concat(parts, ignore_index=True)[columns], "draws")
