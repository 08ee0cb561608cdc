"""What a training dataset's scores are, to be kept beside what was trained on them."""

from typing import Any

import pyarrow as pa

from iqadistill.tables import read_metadata


def score_scale(images: pa.Table) -> dict[str, Any]:
    """How quality reads on a dataset's own scale, found from its worst and its best picture.

    Args:
        images: Table "images" with its file metadata; it holds at least two different qualities.

    Returns:
        column: what the score is called; worst and best: the scores of quality 0 and 1; source: where the scores come from.
    """
    rows = images.select(["score", "quality"]).to_pandas().dropna().sort_values("quality")
    poorest, finest = rows.iloc[0], rows.iloc[-1]
    span = (finest.score - poorest.score) / (finest.quality - poorest.quality)
    worst = poorest.score - span * poorest.quality
    facts = read_metadata(images)
    return {
        "column": facts.get("score_column", "score"),
        "worst": _rounded(worst),
        "best": _rounded(worst + span),
        "source": facts.get("scores", ""),
    }


def _rounded(score: float) -> float:
    """Without the last digits, which only arithmetic has put there."""
    return float(f"{score:.9g}")
