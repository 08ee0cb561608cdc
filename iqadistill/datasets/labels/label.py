"""What every label format tells about a picture."""

from typing import NamedTuple


class Label(NamedTuple):
    """A picture as its dataset's label file describes it.

    Attributes:
        where: File and row, for messages.
        picture: Official path.
        score: On the dataset's own scale; None where the file has none.
        score_std: Standard deviation of the opinions behind the score.
        reference: Official path of the pristine picture; None where the picture is its own content.
        is_reference: Whether the picture is pristine itself.
        distortion: Type in this package's words.
        level: 1 is the mildest.
        official_role: train, val or test in the authors' own split.
    """

    where: str
    picture: str
    score: float | None
    score_std: float | None = None
    reference: str | None = None
    is_reference: bool = False
    distortion: str | None = None
    level: int | None = None
    official_role: str | None = None
