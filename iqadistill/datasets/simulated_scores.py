"""Simulated scores: the statistics of KADID-10k that they are drawn from, and their noise ceiling.

Nobody rated the images of a gallery. KADID-10k (Lin, Hosu, Saupe, QoMEX 2019; scores 1 to 5, higher better) shows how
much the mean opinions of its 81 references differ at every type and level of distortion, and how strongly the five
levels of one reference and type deviate together. Both are kept in kadid_summary.csv and reproduced by the scores that
`iqadistill.datasets.galleries` draws.
"""

from functools import cache
from pathlib import Path

import pandas as pd
import pyarrow as pa

from iqadistill.datasets.regions import Region
from iqadistill.errors import InputError

PROVENANCE = (
    "simulated: KADID-10k's mean opinion for the distortion and level, plus a deviation drawn with KADID-10k's spread "
    "between images; H.264 and HEVC have JPEG 2000's as a proxy"
)
PROXIES = {"h264": "jpeg2000", "hevc": "jpeg2000"}
"""Distortions that KADID-10k does not have, with the type whose opinions stand in."""

LOCAL_PROVENANCE = (
    f"{PROVENANCE}; mixed with the score of the undamaged image by the square root of the damaged share of the visible "
    "area"
)
PRISTINE = ("gaussian_blur", 1)
"""Distortion and level whose opinions stand for those of a pristine image: a blur of 0.1 pixels, which changes none."""


@cache
def kadid_summary() -> pd.DataFrame:
    """KADID-10k's opinions, indexed by (distortion, level).

    Columns: mean and std of the score over n references; scene_correlation, the mean correlation of two levels over the
    references; source.
    """
    return pd.read_csv(Path(__file__).with_name("kadid_summary.csv"), index_col=["distortion", "level"])


def opinion_type(distortion: str) -> str:
    """The distortion in KADID-10k whose opinions score a distortion: itself or its proxy."""
    return PROXIES.get(distortion, distortion)


def opinion_std(distortion: str, level: int) -> float:
    """Standard deviation of KADID-10k's mean opinions over references."""
    return float(kadid_summary().loc[(opinion_type(distortion), level), "std"])


def weight_of_damage(area: float) -> float:
    """Weight of a damaged region in the score of its image: the square root of its share of the visible area.

    A viewer looks at the worst region longer than its area asks for, so that an exponent below 1 is needed; that it is
    1/2 is assumed, not measured.

    Args:
        area: Share of the solid angle of a panorama, or of the area of a flat image.
    """
    return float(area**0.5)


def mixed_score(pristine: float, damaged: float, weight: float) -> float:
    """Score of an image of which a region is damaged.

    Args:
        pristine: Score of the image without damage.
        damaged: Score of the image with this damage everywhere.
        weight: Weight of the damaged region, see `weight_of_damage`.
    """
    return (1 - weight) * pristine + weight * damaged


def noise_ceiling(images: pa.Table, kind: str = "flat") -> float:
    """SRCC between simulated scores and their expectation: what a predictor that knows every label reaches.

    Args:
        images: Table "images" of a dataset with simulated scores; rows without score are ignored.
        kind: "flat" or "sphere", for the area of damaged regions.

    Raises:
        InputError: No row has a score, or a scored row's distortion and level are not among those of galleries.
    """
    from scipy.stats import spearmanr  # slow to import, and only for simulated scores

    rows = images.select(["image_id", "score", "distortion", "level", "region"]).to_pandas().dropna(subset="score")
    if rows.empty:
        raise InputError("noise ceiling: no image has a score; give a table with simulated scores.")
    expected = []
    for row in rows.itertuples():
        label = (opinion_type(row.distortion), row.level)
        if label not in kadid_summary().index:
            known = sorted({*kadid_summary().index.get_level_values("distortion"), *PROXIES})
            raise InputError(
                f"noise ceiling: image {row.image_id} has distortion {row.distortion!r}, level {row.level}; "
                f"expected one of {known} at level 1 to 5."
            )
        mean = kadid_summary().loc[label, "mean"]
        if pd.notna(row.region):
            weight = weight_of_damage(Region.parse(row.region, f"noise ceiling: image {row.image_id}").area(kind))
            mean = mixed_score(kadid_summary().loc[PRISTINE, "mean"], mean, weight)
        expected.append(mean)
    return float(spearmanr(rows["score"], expected).statistic)
