"""Crops of flat images on an even grid from border to border."""

from typing import TYPE_CHECKING, Literal

from pydantic import Field

from iqadistill.sampling.settings import FlatSamplerSettings

if TYPE_CHECKING:
    import pyarrow as pa


class GridCropsSettings(FlatSamplerSettings):
    """Square crops on an even grid from border to border."""

    method: Literal["grid_crops"] = Field("grid_crops", description="Name of the sampler; default: the entry's name.")

    def sample(self, images: "pa.Table", *, seed: int) -> "pa.Table":
        """Sample with `sample_crops`."""
        from iqadistill.sampling.crops import sample_crops

        return sample_crops(
            images,
            count=self.count,
            size=self.size,
            seed=seed,
            method="grid",
            longer_side=self.longer_side,
            small_images=self.small_images,
        )
