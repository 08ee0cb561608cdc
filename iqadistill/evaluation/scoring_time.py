"""Time that a job took to embed or score images, in a file beside its table, which is the same from run to run."""

import json
from pathlib import Path
from typing import NamedTuple

from iqadistill.atomic_writing import write_atomically
from iqadistill.errors import InputError


class ScoringTime(NamedTuple):
    """What the file says.

    Attributes:
        seconds: Time of one pass over all images.
        shards: Number of jobs that embedded the images.
    """

    seconds: float
    shards: int


def write_scoring_time(
    path: str | Path, seconds: float, *, images: int, patches: int, passes: int = 1, shards: int = 1
) -> None:
    """Record the time of one pass over all images.

    Args:
        path: Sidecar of the table.
        seconds: Time of all passes, the reading of images included.
        images: Number of images in a pass.
        patches: Number of their patches; 0 for methods on whole images.
        passes: How often all images were scored, e.g. by several models.
        shards: Number of jobs that embedded the images.
    """
    cost = {"scored_images": images, "scored_patches": patches, "scoring_seconds": seconds / passes}
    facts: dict[str, object] = {"cost": cost} if shards == 1 else {"cost": cost, "shards": shards}
    text = json.dumps(facts, indent=1) + "\n"
    write_atomically(path, lambda temporary: temporary.write_text(text, encoding="utf-8"))


def read_scoring_time(path: str | Path) -> ScoringTime:
    """Read the time of one pass over all images.

    Raises:
        InputError: The file is damaged.
    """
    try:
        facts = json.loads(Path(path).read_text(encoding="utf-8"))
        return ScoringTime(float(facts["cost"]["scoring_seconds"]), int(facts.get("shards", 1)))
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise InputError(f"{path}: not the time of a job ({error}); delete it and run its stage again.") from None
