"""Position: patches by where they lie, a control that no network takes part in."""

from typing import TYPE_CHECKING, Any, ClassVar, Literal

import numpy as np
from pydantic import Field

from iqadistill.errors import InputError
from iqadistill.selection.base import Selector, unscored
from iqadistill.selection.settings import SelectorSettings

if TYPE_CHECKING:
    import pyarrow as pa


class PositionSettings(SelectorSettings):
    """Greedy k-medoids of patch centres: position alone, whatever the patches show."""

    label: ClassVar[str] = "position alone"
    colour: ClassVar[str] = "#332288"
    marker: ClassVar[str] = "v"
    order: ClassVar[int] = 7
    needs_patches: ClassVar[bool] = True
    stands_for_nearest: ClassVar[bool] = True

    method: Literal["position"] = Field("position", description="Name of the selector; default: the entry's name.")

    def create(self) -> "PositionSelector":
        """The selector."""
        return PositionSelector()


class PositionSelector(Selector):
    """Greedy k-medoids of patch centres: each patch brings the chosen ones closest to all patches of the image.

    It is fitted to places instead of embeddings, see `patch_places`, and deterministic: ties go to the lower index.
    """

    def vectors(self, embeddings: "pa.Table", patches: "pa.Table | None", images: "pa.Table | None") -> np.ndarray:
        """Places (N, 2) or (N, 3) of the embedded patches."""
        from iqadistill.sampling.placement import patch_places

        if patches is None or images is None:
            raise InputError("selector position: ranks by places; give the patch table and the images table.")
        return patch_places(patches, images)[rows_of_patches(embeddings, patches)]

    def _fit(self, matrices: list[np.ndarray], seeds: list[int]) -> list[dict[str, Any]]:
        from iqadistill.sampling.placement import choose_places

        return [unscored(choose_places(X, len(X))) for X in matrices]


def rows_of_patches(embeddings: "pa.Table", patches: "pa.Table") -> np.ndarray:
    """Row (N,) of each embedded patch in the patch table.

    Raises:
        InputError: The patch table lacks a patch.
    """
    rows = patches["patch_id"].to_pandas().reset_index().set_index("patch_id")["index"]
    found = rows.reindex(embeddings["patch_id"].to_numpy())
    if found.isna().any():
        missing = found.index[int(np.argmax(found.isna()))]
        raise InputError(f"patches: patch {missing} is missing; run the embedding stage again.")
    return found.to_numpy(dtype=np.int64)
