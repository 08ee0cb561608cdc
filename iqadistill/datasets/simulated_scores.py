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

from iqadistill.errors import InputError

PROVENANCE = (
    "simulated: KADID-10k's mean opinion for the distortion and level, plus a deviation drawn with KADID-10k's spread "
    "between images; H.264 and HEVC have JPEG 2000's as a proxy"
)
PROXIES = {"h264": "jpeg2000", "hevc": "jpeg2000"}
"""Distortions that KADID-10k does not have, with the type whose opinions stand in."""


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


def noise_ceiling(images: pa.Table) -> float:
    """SRCC between simulated scores and their expectation: what a predictor that knows every label reaches.

    Args:
        images: Table "images" of a dataset with simulated scores; rows without score are ignored.

    Raises:
        InputError: No row has a score, or a scored row's distortion and level are not among those of galleries.
    """
    from scipy.stats import spearmanr  # slow to import, and only for simulated scores

    rows = images.select(["image_id", "score", "distortion", "level"]).to_pandas().dropna(subset="score")
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
        expected.append(kadid_summary().loc[label, "mean"])
    return float(spearmanr(rows["score"], expected).statistic)
