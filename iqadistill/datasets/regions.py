"""The damaged region of an image: a half, a tile or a band.

A region is a rectangle of the image, in shares of its width and height. In an equirectangular panorama it spans yaws
and pitches and may continue beyond the seam.
"""

from dataclasses import astuple, dataclass
from typing import Literal, Self, get_args

import numpy as np

from iqadistill.csv_files import number
from iqadistill.errors import InputError

RegionKind = Literal["half", "tile", "band"]
REGION_KINDS: tuple[RegionKind, ...] = get_args(RegionKind)
_DECIMALS = 4  # of the text, to which a region is rounded, so that the text holds all of it


@dataclass(frozen=True)
class Region:
    """A damaged region; its four numbers are rounded to four decimals.

    Attributes:
        kind: half: one lens of a camera of two, or half a photograph; tile: a cell of a grid; band: a strip over the
            full width.
        left: Left border, in [0, 1).
        top: Upper border.
        width: Width, in (0, 1]; a region of a panorama may continue at its left border.
        height: Height.
    """

    kind: RegionKind
    left: float
    top: float
    width: float
    height: float

    def __post_init__(self) -> None:
        for name in ("left", "top", "width", "height"):
            object.__setattr__(self, name, round(float(getattr(self, name)), _DECIMALS))

    @classmethod
    def parse(cls, text: str, where: str) -> Self:
        """The region that a text describes: kind, left, top, width and height, separated by blanks.

        Args:
            text: The text, such as "tile 0.25 0.3333 0.25 0.3333".
            where: File and row, for the message.

        Raises:
            InputError: The text describes no region of an image.
        """
        kind, *shares = text.split() or [""]
        try:
            left, top, width, height = (round(_share(share), _DECIMALS) for share in shares)
        except ValueError:
            left = top = width = height = np.nan
        inside = 0 <= left < 1 and 0 <= top < 1 and 0 < width <= 1 and 0 < height <= 1 and top + height <= 1.001
        if kind not in REGION_KINDS or not inside:
            raise InputError(
                f"{where}: region {text!r} is not a region; write {', '.join(REGION_KINDS)}, then left, top, width and"
                ' height as shares of the image, such as "tile 0.25 0.3333 0.25 0.3333".'
            )
        return cls(kind, left, top, width, height)

    def __str__(self) -> str:
        kind, *numbers = astuple(self)
        return " ".join([kind, *(f"{number:g}" for number in numbers)])

    def contains(self, x: np.ndarray, y: np.ndarray) -> np.ndarray:
        """Whether the region contains points at shares `x` of the width and `y` of the height, arrays of one shape."""
        return (np.mod(x - self.left, 1.0) < self.width) & (y >= self.top) & (y < self.top + self.height)

    def mask(self, height: int, width: int) -> np.ndarray:
        """Pixels (height, width) whose centres the region contains."""
        x, y = (np.arange(width) + 0.5) / width, (np.arange(height) + 0.5) / height
        return self.contains(*np.broadcast_arrays(x, y[:, None]))

    def area(self, kind: str) -> float:
        """Share of the image that the region covers.

        The rows of a panorama between two pitches cover half the difference of their sines.

        Args:
            kind: "sphere" for the share of the solid angle, "flat" for that of the area.
        """
        if kind == "flat":
            return self.width * self.height
        pitches = np.pi * (0.5 - np.array([self.top, min(1.0, self.top + self.height)]))
        return float(self.width * (np.sin(pitches[0]) - np.sin(pitches[1])) / 2)


def _share(text: str) -> float:
    value = number(text)
    return np.nan if value is None else value
