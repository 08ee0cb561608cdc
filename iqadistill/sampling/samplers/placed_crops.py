"""Crops of flat images where they stand for the image best."""

from typing import TYPE_CHECKING, Literal

from pydantic import Field

from iqadistill.sampling.settings import FlatSamplerSettings

if TYPE_CHECKING:
    import pyarrow as pa


class PlacedCropsSettings(FlatSamplerSettings):
    """Square crops placed by k-medoids of the plane, weighted by the share of the image that each is nearest to."""

    method: Literal["placed_crops"] = Field(
        "placed_crops", description="Name of the sampler; default: the entry's name."
    )

    def sample(self, images: "pa.Table", *, seed: int) -> "pa.Table":
        """Sample with `sample_placed_crops`."""
        from iqadistill.sampling.placed import sample_placed_crops

        return sample_placed_crops(
            images,
            count=self.count,
            size=self.size,
            seed=seed,
            longer_side=self.longer_side,
            small_images=self.small_images,
        )
