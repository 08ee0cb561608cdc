"""Thumbnail: patches by where they lie and what they look like from afar, a control that no network takes part in."""

from typing import TYPE_CHECKING, ClassVar, Literal

import numpy as np
from pydantic import Field

from iqadistill.selection.selectors.position import PositionSelector, rows_of_patches
from iqadistill.selection.settings import SelectorSettings

if TYPE_CHECKING:
    import pyarrow as pa


class ThumbnailSettings(SelectorSettings):
    """Greedy k-medoids of patch centres and of the patches' thumbnails of 8 x 8 pixels, which weigh the same."""

    label: ClassVar[str] = "position and thumbnail"
    colour: ClassVar[str] = "#661100"
    marker: ClassVar[str] = "p"
    order: ClassVar[int] = 8
    needs_patches: ClassVar[bool] = True
    stands_for_nearest: ClassVar[bool] = True

    method: Literal["thumbnail"] = Field("thumbnail", description="Name of the selector; default: the entry's name.")

    def create(self) -> "ThumbnailSelector":
        """The selector."""
        return ThumbnailSelector()


class ThumbnailSelector(PositionSelector):
    """Greedy k-medoids of places and thumbnails: each patch brings the chosen ones closest to all of the image.

    Within an image both have the same mean squared distance, so that neither depends on its unit.
    """

    def vectors(self, embeddings: "pa.Table", patches: "pa.Table | None", images: "pa.Table | None") -> np.ndarray:
        """Places and thumbnails (N, 194) or (N, 195) of the embedded patches."""
        from iqadistill.patches.thumbnails import read_thumbnails
        from iqadistill.selection.ranking import rows_by_image

        places = super().vectors(embeddings, patches, images)
        assert patches is not None and images is not None  # places need them
        looks = read_thumbnails(images, patches)[rows_of_patches(embeddings, patches)]
        for members in rows_by_image(embeddings)[1]:
            for block in (places, looks):
                block[members] = _of_unit_spread(block[members])
        return np.hstack([places, looks])


def _of_unit_spread(vectors: np.ndarray) -> np.ndarray:
    """Vectors (n, d) around their mean, with a mean squared length of 1; all zero where they are equal."""
    vectors = vectors - vectors.mean(0)
    spread = np.sqrt((vectors**2).sum(1).mean())
    return vectors / spread if spread > 1e-9 else np.zeros_like(vectors)
