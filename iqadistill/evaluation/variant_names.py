"""Names of the two variants of a comparison, made of what they differ in."""

import numpy as np
import pandas as pd

from iqadistill.evaluation.label_only import STUDENT as LABEL_ONLY
from iqadistill.tables import ALL

_NAMES = ["sampler", "encoder", "selector", "student"]


def side_names(pair: pd.Series) -> tuple[str, str]:
    """Names of both variants of a pair, made of the columns in which they differ.

    Args:
        pair: The variant columns of the first variant, and those of the second as other_*.

    Returns:
        For example "residual" and "random", or "residual at keep 0.4" and "all patches".
    """
    named = [name for name in _NAMES if pair[name] != pair[f"other_{name}"]]
    same_rate = np.isclose(pair.keep, pair.other_keep)

    def side(prefix: str) -> str:
        parts = [
            pair[f"{prefix}{name}"].replace(ALL, "all patches") if name == "selector" else pair[f"{prefix}{name}"]
            for name in named
        ]
        if pair[f"{prefix}student"] == LABEL_ONLY:
            return "distortion label alone"
        if not same_rate and pair[f"{prefix}keep"] < 1:
            parts.append(f"at keep {pair[f'{prefix}keep']:g}")
        return " ".join(part for part in parts if part) or f"keep {pair[f'{prefix}keep']:g}"

    return side(""), side("other_")
