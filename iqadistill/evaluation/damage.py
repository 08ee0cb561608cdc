"""Local damage: how well an order of an image's patches tells damaged patches from others."""

from collections.abc import Iterator, Mapping, Sequence

import numpy as np
import pandas as pd
import pyarrow as pa

from iqadistill.datasets.regions import REGION_KINDS, Region
from iqadistill.errors import InputError
from iqadistill.evaluation.bootstrap import content_weights, interval_over_contents
from iqadistill.evaluation.random_splits import over_random_splits
from iqadistill.panorama.sphere import viewport_angles
from iqadistill.tables import ALL, as_table

DAMAGED = 0.5  # share of a patch above which it counts as damaged
SAMPLES = 32  # points on a side of a viewport at which the region is looked up


def damaged_shares(patches: pd.DataFrame, region: Region, width: int, height: int) -> np.ndarray:
    """Share of each patch of an image that lies in a region: of the pixels that an encoder sees.

    A crop overlaps the region in a rectangle; a viewport is sampled on a grid through its projection.

    Args:
        patches: Rows of table "patches" of one image; those with x and y are crops, all others viewports.
        region: The damaged region.
        width: Width of the image in pixels.
        height: Height of the image in pixels.

    Returns:
        Shares (n,).
    """
    crop = patches.x.notna().to_numpy()
    shares = np.empty(len(patches))
    crops, views = patches[crop], patches[~crop]
    size = crops["size"].to_numpy()
    left, top = crops.x.to_numpy(dtype=float), crops.y.to_numpy(dtype=float)
    # a crop and a region may continue at the left border of a panorama
    across = sum(_overlap(left + turn * width, size, region.left * width, region.width * width) for turn in (-1, 0, 1))
    shares[crop] = across * _overlap(top, size, region.top * height, region.height * height) / size**2
    if len(views):
        yaw, pitch = viewport_angles(views.yaw.to_numpy(), views.pitch.to_numpy(), views.fov.to_numpy(), SAMPLES)
        shares[~crop] = region.contains(yaw / (2 * np.pi) + 0.5, 0.5 - pitch / np.pi).mean((1, 2))
    return shares


def _overlap(start: np.ndarray, length: np.ndarray, other_start: float, other_length: float) -> np.ndarray:
    end = np.minimum(start + length, other_start + other_length)
    return np.maximum(0.0, end - np.maximum(start, other_start))


def auc(suspicion: np.ndarray, damaged: np.ndarray) -> float:
    """Area under the ROC: the probability that a damaged patch is more suspect than another one, ties counting half.

    Args:
        suspicion: Values (n,), larger where damage is suspected.
        damaged: Whether each patch (n,) is damaged.

    Returns:
        The area; NaN unless there are both damaged and other patches.
    """
    hits, others = suspicion[damaged], suspicion[~damaged]
    if not len(hits) or not len(others):
        return float("nan")
    above = hits[:, None] - others
    return float(((above > 0) + 0.5 * (above == 0)).mean())


def measure_damage(
    patch_scores: Mapping[str, pa.Table],
    images: pa.Table,
    patches: pa.Table,
    selections: Mapping[str, pa.Table],
    official: Mapping[str, int],
    *,
    sampler: str,
    encoder: str,
    draws: int,
    seed: int,
) -> tuple[pa.Table, pa.Table]:
    """Tell damaged patches from others by the patch scores of students and by the rankings of selectors.

    A patch is damaged where more than half of it is. The AUC is computed within each image that has damaged and other
    patches, and averaged over these images; its interval is over their contents. A patch is suspect for a student if
    its score is low, as a patch of a test image, and for a selector if it is kept early. The AUC of an image that
    several splits test is the mean over these splits.

    Args:
        patch_scores: Table "patch_scores" of each student by its name.
        images: Table "images" of the dataset.
        patches: Table "patches" of the dataset and sampler.
        selections: Table "selection" of each selector by its name.
        official: Number of the official split of each dataset that has one; it takes part in nothing.
        sampler: Name for the column.
        encoder: Name for the column.
        draws: Number of draws of contents.
        seed: Seed of the draws.

    Returns:
        Table "damage": each order of patches on all images, on each kind of region, and on each level. Table
        "damaged_patches", with the mean score of each patch over the splits that test its image.

    Raises:
        InputError: No image is damaged in a region, or a selector has not ranked a patch.
    """
    truth = _damaged_patches(images, patches)
    dataset = images["dataset"][0].as_py()
    facts = {"dataset": dataset, "sampler": sampler, "encoder": encoder}
    orders: list[tuple[str, str, pd.Series]] = []
    scored = []
    for student, table in patch_scores.items():
        frame = over_random_splits(table.to_pandas().assign(train_dataset=dataset), official)
        rows = frame[["split", "patch_id", "score"]].merge(truth, on="patch_id")
        of_split = _image_aucs(rows.assign(suspicion=-rows.score), ["split", "image_id"])
        orders.append((student, ALL, of_split.groupby("image_id").mean()))
        scores = rows.groupby("patch_id").score.mean()
        known = truth[truth.patch_id.isin(scores.index)]
        scored.append(known.assign(student=student, score=known.patch_id.map(scores)))
    for name, table in selections.items():
        ranks = table.select(["patch_id", "rank"]).to_pandas()
        rows = truth.merge(ranks, on="patch_id", how="left")
        if rows["rank"].isna().any():
            missing = rows.patch_id[rows["rank"].isna()].iloc[0]
            raise InputError(f"selection of {name}: patch {missing} is missing; run select_patches again.")
        orders.append(("", name, _image_aucs(rows.assign(suspicion=-rows["rank"]), ["image_id"])))
    shown = images.select(["image_id", "reference_id", "region", "level"]).to_pandas().set_index("image_id")
    shown["region"] = shown.region.map(lambda text: Region.parse(text, "images").kind, na_action="ignore")
    summary = [
        {"student": student, "selector": selector, **row}
        for student, selector, of_image in orders
        for row in _summarised(of_image.dropna(), shown, draws, seed)
    ]
    damaged = pd.concat(scored) if scored else truth
    columns = ["student", "patch_id", "image_id", "damaged", "score"]
    return (
        as_table(pd.DataFrame(summary).assign(**facts).astype({"level": "Int32"}), "damage"),
        as_table(damaged.reindex(columns=columns).assign(**facts), "damaged_patches"),
    )


def _damaged_patches(images: pa.Table, patches: pa.Table) -> pd.DataFrame:
    """Patches of the images that are damaged in a region, with the share of each that is."""
    frame = images.select(["image_id", "region", "width", "height", "status"]).to_pandas()
    damaged = frame[frame.region.notna() & (frame.status == "ok")].set_index("image_id")
    if damaged.empty:
        raise InputError(
            "damage: no image of the dataset is damaged in a region; name a dataset such as gallery360_local, or fill"
            " the column region of images.csv."
        )
    rows = patches.to_pandas()
    rows = rows[rows.image_id.isin(damaged.index)]
    parts = []
    for image_id, of_image in rows.groupby("image_id", sort=False):
        image = damaged.loc[image_id]
        region = Region.parse(image.region, f"images: {image_id}")
        shares = damaged_shares(of_image, region, int(image.width), int(image.height))
        parts.append(of_image[["patch_id", "image_id"]].assign(damaged=shares))
    return pd.concat(parts, ignore_index=True)


def _image_aucs(rows: pd.DataFrame, key: Sequence[str]) -> pd.Series:
    """AUC of each group of patches, by the columns of `key`."""
    suspicion, damaged = rows.suspicion.to_numpy(), rows.damaged.to_numpy() > DAMAGED
    groups = rows.groupby(list(key)).indices
    names = list(groups)
    index = pd.MultiIndex.from_tuples(names, names=key) if len(key) > 1 else pd.Index(names, name=key[0])
    return pd.Series([auc(suspicion[places], damaged[places]) for places in groups.values()], index)


def _summarised(of_image: pd.Series, shown: pd.DataFrame, draws: int, seed: int) -> Iterator[dict[str, object]]:
    """Mean AUC over all images, over those of each kind of region, and over those of each level."""
    facts = shown.loc[of_image.index]
    parts: list[tuple[dict[str, object], pd.Series]] = [({}, facts.index.notna())]
    parts += [({"region": kind}, facts.region == kind) for kind in REGION_KINDS]
    parts += [({"level": level}, facts.level == level) for level in sorted(facts.level.dropna().unique())]
    for part, chosen in parts:
        values, contents = of_image[chosen].to_numpy(), pd.factorize(facts.reference_id[chosen], sort=True)[0]
        mean, ends = float("nan"), (float("nan"), float("nan"))
        if len(values):
            mean = float(values.mean())
            blocks = [weights @ values / weights.sum(1) for weights in content_weights(contents, draws, seed)]
            ends = interval_over_contents(mean, np.concatenate(blocks), int(contents.max()) + 1)
        low, high = ends
        counts = {"images": len(values), "contents": len(set(contents))}
        yield {"region": None, "level": None, **part, "auc": mean, "low": low, "high": high, **counts}
