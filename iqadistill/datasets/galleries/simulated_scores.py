"""Simulated opinion scores: KADID-10k's mean opinion of a distortion's level, plus a deviation of each image.

Nobody rated these pictures. KADID-10k (Lin, Hosu, Saupe, QoMEX 2019; scores 1..5, higher better) says how much the mean
opinions of its 81 references differ at every type and level, and how strongly the five levels of one reference and type
deviate together; both are kept in kadid_summary.csv and reproduced here. Deviations of different types are drawn
independently of each other.
"""

from functools import cache
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import scipy  # its stats load when they are asked for: every job on datasets would wait for them

from iqadistill.datasets.galleries.distortions import DISTORTIONS
from iqadistill.datasets.galleries.seeding import random_stream
from iqadistill.errors import InputError

SCORE_RANGE = (1.0, 5.0)
PROVENANCE = (
    "simulated: KADID-10k's mean opinion for the distortion and level, plus a deviation drawn with KADID-10k's spread "
    "between images; H.264 and HEVC have JPEG 2000's as a proxy"
)


@cache
def kadid_summary() -> pd.DataFrame:
    """KADID-10k's opinions, indexed by (distortion, level).

    Columns: mean and std of the score over n references; scene_correlation, the mean correlation of two levels over the
    references; source.
    """
    return pd.read_csv(Path(__file__).with_name("kadid_summary.csv"), index_col=["distortion", "level"])


def draw_score(seed: int, source: str, scene: str, distortion: str, level: int) -> float:
    """Score of one image, the same whatever else is drawn.

    The deviation in units of KADID-10k's spread is sqrt(c) u + sqrt(1 - c) e: u is shared by the levels of a scene and
    distortion, e belongs to the image, both standard normal, and c is KADID-10k's correlation between levels.

    Args:
        seed: Seed of the dataset.
        source: The dataset's source: two datasets of one scene deviate independently.
        scene: Scene name.
        distortion: Name in `DISTORTIONS`.
        level: 1 (mildest) to 5.
    """
    opinion = kadid_summary().loc[(DISTORTIONS[distortion].opinions, level)]
    shared = random_stream(seed, "score", source, scene, distortion).standard_normal()
    own = random_stream(seed, "score", source, scene, distortion, level).standard_normal()
    deviation = np.sqrt(opinion.scene_correlation) * shared + np.sqrt(1 - opinion.scene_correlation) * own
    return float(np.clip(opinion["mean"] + opinion["std"] * deviation, *SCORE_RANGE))


def noise_ceiling(images: pa.Table) -> float:
    """SRCC between simulated scores and their expectation: what a predictor that knows every label reaches.

    Args:
        images: Table "images" of a dataset with simulated scores; rows without score do not count.

    Raises:
        InputError: No row has a score, or a scored row's distortion and level are none of `DISTORTIONS`.
    """
    rows = images.select(["image_id", "score", "distortion", "level"]).to_pandas().dropna(subset="score")
    if rows.empty:
        raise InputError("noise ceiling: no image has a score; give a table with simulated scores.")
    expected = []
    for row in rows.itertuples():
        label = (DISTORTIONS[row.distortion].opinions if row.distortion in DISTORTIONS else None, row.level)
        if label not in kadid_summary().index:
            raise InputError(
                f"noise ceiling: image {row.image_id} has distortion {row.distortion!r}, level {row.level}; "
                f"expected one of {sorted(DISTORTIONS)} at level 1 to 5."
            )
        expected.append(kadid_summary().loc[label, "mean"])
    return float(scipy.stats.spearmanr(rows["score"], expected).statistic)
