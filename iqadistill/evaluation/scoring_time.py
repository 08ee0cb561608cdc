"""Time that a job took to embed or score images, in a file beside its table, which is the same from run to run."""

import json
from pathlib import Path

from iqadistill.atomic_writing import write_atomically


def write_scoring_time(path: str | Path, seconds: float, *, images: int, patches: int, passes: int = 1) -> None:
    """Record the time of one pass over all images.

    Args:
        path: Sidecar of the table.
        seconds: Time of all passes, the reading of images included.
        images: Number of images in a pass.
        patches: Number of their patches; 0 for methods on whole images.
        passes: How often all images were scored, e.g. by several models.
    """
    cost = {"scored_images": images, "scored_patches": patches, "scoring_seconds": seconds / passes}
    text = json.dumps({"cost": cost}, indent=1) + "\n"
    write_atomically(path, lambda temporary: temporary.write_text(text, encoding="utf-8"))
