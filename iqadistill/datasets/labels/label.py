"""The record that every label format yields for an image."""

from typing import NamedTuple


class Label(NamedTuple):
    """An image as its dataset's label file describes it.

    Attributes:
        where: File and row, for messages.
        image: Official path.
        score: Score on the dataset's scale; None where the file has none.
        score_std: Standard deviation of the opinions behind the score.
        reference: Official path of the pristine image; None where the image is its own content.
        is_reference: Whether the image itself is pristine.
        distortion: Type of distortion, by this package's names.
        level: Level of the distortion; 1 is the mildest.
        official_role: train, val or test in the authors' split.
    """

    where: str
    image: str
    score: float | None
    score_std: float | None = None
    reference: str | None = None
    is_reference: bool = False
    distortion: str | None = None
    level: int | None = None
    official_role: str | None = None
